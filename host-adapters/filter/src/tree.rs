//! The fields that a policy names, as a tree of the parts of their names.

use std::collections::HashMap;

/// Each field has a number, its index in what is collected of an event.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    fields: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: HashMap<String, usize>,
    field: Option<usize>,
}

impl Tree {
    pub const ROOT: usize = 0;

    pub fn new() -> Self {
        Self { nodes: vec![Node::default()], fields: 0 }
    }

    /// The number of fields.
    pub fn fields(&self) -> usize {
        self.fields
    }

    /// The field of this path, which is added if it is new.
    pub fn add<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) -> usize {
        let mut at = Self::ROOT;
        for part in path.into_iter().flat_map(|name| name.split('.')) {
            let new = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { break };
            at = *node.children.entry(part.to_owned()).or_insert(new);
            if at == new {
                self.nodes.push(Node::default());
            }
        }
        let (next, node) = (self.fields, self.nodes.get_mut(at));
        let field = node.map_or(next, |node| *node.field.get_or_insert(next));
        self.fields = self.fields.max(field + 1);
        field
    }

    /// Where a name leads, which may itself have dots; `None` if no field begins so.
    pub fn child(&self, node: usize, name: &str) -> Option<usize> {
        name.split('.').try_fold(node, |at, part| self.nodes.get(at)?.children.get(part).copied())
    }

    /// The field that ends here.
    pub fn field(&self, node: usize) -> Option<usize> {
        self.nodes.get(node)?.field
    }
}
