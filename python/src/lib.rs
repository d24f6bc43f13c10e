//! `pkgfs._scan`: [`pkgfs_scan`] for Python.
//!
//! The walk runs without the interpreter's lock. What cannot be read becomes an `OSError` with its
//! path: raised where a whole repository is concerned, else warned of, or all handed to `on_error`.
//! The documentation that Python users read is in `pkgfs/_scan.pyi` and in the docstrings here.

use std::{ffi::OsString, path::PathBuf};

use pkgfs_scan::{DEFAULT_JOBS, Options, Part, Problem, Rules};
use pyo3::{
    create_exception,
    exceptions::{PyOSError, PyUserWarning, PyValueError},
    prelude::*,
    types::PyList,
};

create_exception!(
    pkgfs,
    ScanWarning,
    PyUserWarning,
    "A part of a repository could not be read; everything else was."
);

/// A package of a repository.
#[pyclass(frozen, eq, hash, module = "pkgfs")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ScannedPackage {
    /// The family's name.
    #[pyo3(get)]
    family: String,
    /// The version as it is spelled on disk; None for an unversioned package and a combined family.
    #[pyo3(get)]
    version: Option<OsString>,
    /// "py" or "yaml"; None where there is no definition.
    #[pyo3(get)]
    format: Option<&'static str>,
    /// The definition file; None where there is none.
    #[pyo3(get)]
    path: Option<OsString>,
    /// Whether the file holds all versions of the family.
    #[pyo3(get)]
    combined: bool,
    /// The repository, as its real path.
    #[pyo3(get)]
    repository: OsString,
}

#[pymethods]
impl ScannedPackage {
    #[allow(non_upper_case_globals)]
    #[classattr]
    const __match_args__: (&str, &str, &str, &str) = ("family", "version", "format", "path");

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |value: &Option<OsString>| -> PyResult<String> {
            Ok(value.clone().into_pyobject(py)?.repr()?.to_string())
        };
        Ok(format!(
            "ScannedPackage(family={:?}, version={}, format={}, path={})",
            self.family,
            shown(&self.version)?,
            shown(&self.format.map(OsString::from))?,
            shown(&self.path)?,
        ))
    }
}

/// The packages of repositories, as rez's filesystem repository yields them.
///
/// No definition is opened and rez is not needed. Families come in the order of the directory, the
/// versions of each in the order of its own; nothing is sorted.
#[pyfunction]
#[pyo3(signature = (
    paths,
    *,
    package_filenames = Rules::default().package_filenames,
    check_package_definition_files = false,
    allow_unversioned_packages = true,
    file_lock_dir = None,
    fresh = false,
    jobs = DEFAULT_JOBS,
    on_error = None,
))]
#[allow(clippy::too_many_arguments, reason = "they are keywords")]
fn scan_repo<'py>(
    py: Python<'py>,
    paths: Paths,
    package_filenames: Vec<String>,
    check_package_definition_files: bool,
    allow_unversioned_packages: bool,
    file_lock_dir: Option<String>,
    fresh: bool,
    jobs: usize,
    on_error: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    if !(1..=1024).contains(&jobs) {
        return Err(PyValueError::new_err("jobs must be from 1 to 1024"));
    }
    let rules = Rules {
        package_filenames,
        check_package_definition_files,
        allow_unversioned_packages,
        file_lock_dir,
    };
    let paths = paths.into_list();
    let options = Options { jobs, fresh, ..Options::default() };
    let scan = py.detach(|| pkgfs_scan::scan(&paths, &rules, &options));
    let mut packages = Vec::new();
    for repository in scan.repositories {
        for problem in &repository.problems {
            tell(py, problem, on_error.as_ref())?;
        }
        let path = repository.path.into_os_string();
        packages.extend(repository.packages.into_iter().map(|package| {
            let (path_of, format) = package
                .definition
                .map(|definition| (definition.path.into_os_string(), definition.format.extension()))
                .unzip();
            ScannedPackage {
                family: package.family.to_string(),
                version: package.version,
                format,
                path: path_of,
                combined: package.is_combined,
                repository: path.clone(),
            }
        }));
    }
    PyList::new(py, packages)
}

/// One path, or several.
#[derive(FromPyObject)]
enum Paths {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

impl Paths {
    fn into_list(self) -> Vec<PathBuf> {
        match self {
            Self::One(path) => vec![path],
            Self::Several(paths) => paths,
        }
    }
}

fn tell(py: Python<'_>, problem: &Problem, on_error: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    let path = problem.path.clone().into_os_string();
    let error = PyOSError::new_err((problem.errno, problem.reason(), path));
    match on_error {
        Some(on_error) => on_error.call1((error.into_value(py),)).map(drop),
        None if problem.part == Part::Repository => Err(error),
        None => {
            let text = std::ffi::CString::new(problem.to_string()).unwrap_or_default();
            PyErr::warn(py, &py.get_type::<ScanWarning>(), &text, 1)
        }
    }
}

#[pymodule]
fn _scan(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ScannedPackage>()?;
    module.add("ScanWarning", module.py().get_type::<ScanWarning>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(scan_repo, module)?)
}
