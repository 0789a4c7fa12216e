//! The weight of arguments.

use crate::{Attribute, AttributeValue};

/// The memory of the host that an argument takes, about, in bytes.
pub trait Weight {
    /// The bytes.
    fn weight(&self) -> usize;
}

impl Weight for String {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.len()
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        self.iter().map(Weight::weight).sum()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn weight(&self) -> usize {
        self.as_ref().map_or(0, Weight::weight)
    }
}

impl<A: Weight, B: Weight> Weight for (A, B) {
    fn weight(&self) -> usize {
        self.0.weight() + self.1.weight()
    }
}

impl Weight for Attribute {
    fn weight(&self) -> usize {
        self.name.weight() + self.data_type.weight() + size_of::<AttributeValue>() + self.value.len()
    }
}

macro_rules! plain {
    ($($type:ty)*) => {
        $(impl Weight for $type {
            fn weight(&self) -> usize {
                size_of::<Self>()
            }
        })*
    };
}

plain!(bool u8 u16 u32 u64 i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arguments_weigh_too() {
        assert_eq!(vec![(String::new(), Some(String::from("abc")))].weight(), 2 * size_of::<String>() + 3);
    }
}
