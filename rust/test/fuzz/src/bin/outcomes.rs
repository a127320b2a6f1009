//! Prints for each input below a folder its name, a tab, and the outcome.

use std::error::Error;
use std::path::Path;

use thread_mqtt_fuzz::Input;

fn main() -> Result<(), Box<dyn Error>> {
    for folder in std::env::args().skip(1) {
        let folder = std::fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
        let mut files: Vec<_> = folder
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file)?;
            let name = file.file_name().map(Path::new).unwrap_or(&file);
            println!("{}\t{}", name.display(), Input::read(&bytes).outcome());
        }
    }
    Ok(())
}
