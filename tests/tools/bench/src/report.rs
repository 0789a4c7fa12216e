//! The figures of a run: a table for people, one object for programs. Both contain only what was measured.

use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its key in the JSON object; a dot separates the name of an inner object.
    pub key: &'static str,
    /// The value; `None` if the machine lacks what the measurement needs.
    pub value: Option<f64>,
    /// What it is compared with.
    pub beside: &'static [Beside],
}

/// The figure that a figure is compared with, and the bound for it. Names are keys of figures of the same run.
#[derive(Clone, Copy, Debug)]
pub enum Beside {
    /// Shown with another figure.
    Only(&'static str),
    /// At most this many times another figure.
    AtMost(f64, &'static str),
    /// At least this many times another figure.
    AtLeast(f64, &'static str),
    /// At most this.
    Limit(f64),
}

impl Figure {
    /// A figure that is compared with others.
    pub fn new(key: &'static str, value: f64, beside: &'static [Beside]) -> Self {
        Self { key, value: Some(value), beside }
    }
}

/// All figures of a run, in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Report(Vec<Figure>);

impl Report {
    /// Adds figures.
    pub fn extend(&mut self, figures: impl IntoIterator<Item = Figure>) {
        self.0.extend(figures);
    }

    /// One object: every figure by its key, and under `ratios` each figure divided by its baseline.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        for figure in &self.0 {
            insert(&mut object, figure.key, json!(figure.value.map(rounded)));
        }
        let pairs = self.0.iter().flat_map(|figure| figure.beside.iter().map(move |beside| (figure, beside)));
        let ratio = |(figure, beside): (&Figure, &Beside)| {
            Some((format!("{}/{}", figure.key, beside.baseline()?), json!(rounded(self.ratio(figure, *beside)?))))
        };
        object.insert("ratios".to_owned(), pairs.filter_map(ratio).collect::<Map<_, _>>().into());
        Value::Object(object)
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header(["figure", "", "beside", "", "should be"]);
        for figure in &self.0 {
            let value = figure.value.map_or_else(|| "not measured".to_owned(), |value| rounded(value).to_string());
            let column = |text: fn(&Self, &Figure, Beside) -> String| {
                figure.beside.iter().map(|beside| text(self, figure, *beside)).collect::<Vec<_>>().join("\n")
            };
            let beside = column(|_, _, beside| beside.baseline().unwrap_or_default().to_owned());
            table.add_row([figure.key.to_owned(), value, beside, column(Self::times), column(Self::verdict)]);
        }
        for column in [1, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }

    fn value(&self, key: &str) -> Option<f64> {
        self.0.iter().find(|it| it.key == key)?.value
    }

    fn ratio(&self, figure: &Figure, beside: Beside) -> Option<f64> {
        Some(figure.value? / self.value(beside.baseline()?)?)
    }

    fn times(&self, figure: &Figure, beside: Beside) -> String {
        self.ratio(figure, beside).map(|ratio| format!("× {ratio:.2}")).unwrap_or_default()
    }

    fn verdict(&self, figure: &Figure, beside: Beside) -> String {
        let (words, met) = match beside {
            Beside::Only(_) => return String::new(),
            Beside::AtMost(times, _) => (format!("≤ {times}"), self.ratio(figure, beside).map(|it| it <= times)),
            Beside::AtLeast(times, _) => (format!("≥ {times}"), self.ratio(figure, beside).map(|it| it >= times)),
            Beside::Limit(limit) => (format!("≤ {limit}"), figure.value.map(|it| it <= limit)),
        };
        match met {
            Some(true) => format!("{words} ✓"),
            Some(false) => format!("{words} ✗"),
            None => words,
        }
    }
}

fn insert(object: &mut Map<String, Value>, key: &str, value: Value) {
    let Some((outer, inner)) = key.split_once('.') else {
        object.insert(key.to_owned(), value);
        return;
    };
    if let Value::Object(object) = object.entry(outer).or_insert_with(|| json!({})) {
        insert(object, inner, value);
    }
}

impl Beside {
    fn baseline(self) -> Option<&'static str> {
        match self {
            Self::Only(key) | Self::AtMost(_, key) | Self::AtLeast(_, key) => Some(key),
            Self::Limit(_) => None,
        }
    }
}

/// Three significant digits: a figure is not more precise than that.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi((2 - value.abs().log10().floor() as i32).max(0));
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(native: Option<f64>) -> Report {
        const BESIDE: &[Beside] = &[Beside::AtMost(4.0, "native_us"), Beside::Limit(10.0)];
        Report(vec![Figure::new("reused_us", 12.345, BESIDE), Figure { key: "native_us", value: native, beside: &[] }])
    }

    #[test]
    fn a_figure_is_shown_with_its_baseline() {
        let json = report(Some(4.0)).json();
        assert_eq!(json, json!({"reused_us": 12.3, "native_us": 4.0, "ratios": {"reused_us/native_us": 3.09}}));
        let table = report(Some(4.0)).table();
        assert!(table.contains("× 3.09") && table.contains("≤ 4 ✓") && table.contains("≤ 10 ✗"), "{table}");
    }

    #[test]
    fn a_figure_without_a_value_is_null_and_has_no_ratio() {
        assert_eq!(report(None).json(), json!({"reused_us": 12.3, "native_us": null, "ratios": {}}));
        assert!(report(None).table().contains("not measured"));
    }

    #[test]
    fn a_dot_leads_into_an_object() {
        let figures = ["rss_mb.idle", "rss_mb.loaded"].map(|key| Figure::new(key, 1.0, &[]));
        assert_eq!(Report(figures.into()).json(), json!({"rss_mb": {"idle": 1.0, "loaded": 1.0}, "ratios": {}}));
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.0, 0.012345, 1.23456, 123456.7].map(rounded), [0.0, 0.0123, 1.23, 123457.0]);
    }
}
