//! The exports that a version must have before it serves, and the imports that it must not have. The runtime does not
//! know the manifest: the loader passes what the triggers need and what the grants leave out.

/// The requirements on a component. By default there are none.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Exports that triggers need.
    pub exports: Vec<RequiredExport>,
    /// Imports that are not granted.
    pub refused: Vec<RefusedImport>,
    /// Whether the file must say which component it is ([`crate::identity`]). What it says must be right in any case.
    pub id: bool,
}

/// An export that the host calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Export {
    /// `registration:workers/batch-worker`.
    BatchWorker,
    /// `registration:workers/request-worker`.
    RequestWorker,
    /// `wasi:http/handler`, or `wasi:http/incoming-handler` of WASI 0.2.
    HttpHandler,
}

impl Export {
    /// The full name.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatchWorker => "registration:workers/batch-worker@1.0.0",
            Self::RequestWorker => "registration:workers/request-worker@1.0.0",
            Self::HttpHandler => "wasi:http/handler@0.3.0",
        }
    }
}

/// An export, and the trigger that needs it.
#[derive(Clone, Debug)]
pub struct RequiredExport {
    /// The export.
    pub export: Export,
    /// For people: for example "its source sqs:saveEntriesQueue".
    pub needed_by: String,
}

/// An interface that the component may not import.
#[derive(Clone, Debug)]
pub struct RefusedImport {
    /// Its name without the version: `registration:platform/table`.
    pub interface: String,
    /// For people: what would allow the import.
    pub remedy: String,
}

impl Requirements {
    /// The violations of a component with these exports and imports, each as half a sentence.
    pub(crate) fn complaints<'i>(
        &self,
        exports: &[Export],
        imports: impl Iterator<Item = &'i str> + Clone,
    ) -> Vec<String> {
        let missing = self.exports.iter().filter(|required| !exports.contains(&required.export));
        let missing = missing.map(|it| format!("does not export {}, which {} needs", it.export.name(), it.needed_by));
        let refused = self.refused.iter().filter_map(|refused| {
            let import = imports.clone().find(|import| unversioned(import) == refused.interface)?;
            Some(format!("imports {import}, which nothing grants it: {}", refused.remedy))
        });
        missing.chain(refused).collect()
    }
}

/// `wasi:http/client` of `wasi:http/client@0.3.0`.
fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_are_reported_at_once() {
        let refused = |interface: &str| RefusedImport { interface: interface.into(), remedy: "grant it".into() };
        let requirements = Requirements {
            exports: vec![RequiredExport { export: Export::BatchWorker, needed_by: "its source".into() }],
            refused: vec![refused("a:b/table"), refused("a:b/queue")],
            id: false,
        };
        let imports = ["a:b/table@1.2.0", "a:b/tables", "wasi:cli/stdout@0.3.0"];
        let complaints = requirements.complaints(&[Export::HttpHandler], imports.into_iter());
        assert_eq!(
            complaints,
            [
                "does not export registration:workers/batch-worker@1.0.0, which its source needs",
                "imports a:b/table@1.2.0, which nothing grants it: grant it",
            ]
        );
        assert_eq!(requirements.complaints(&[Export::BatchWorker], ["a:b/c"].into_iter()), Vec::<String>::new());
    }
}
