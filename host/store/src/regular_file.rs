//! Opening what must be a regular file.

use std::{
    fs::{File, FileType, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a regular file for reading. Anything else is an error: opening a FIFO would wait for a writer that may never come,
/// and a device may never end.
pub fn open_regular_file(path: &Path) -> io::Result<File> {
    open_regular_file_with(OpenOptions::new().read(true), path)
}

/// See [`open_regular_file`].
pub(crate) fn open_regular_file_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // a FIFO is opened at once, and a FIFO without a reader is an error if it is opened for writing
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = options.custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {}, not a regular file", name(kind))))
}

fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else {
        "a device or socket"
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (file, fifo) = (folder.path().join("file"), folder.path().join("fifo"));
        std::fs::write(&file, "text").unwrap();
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(open_regular_file(&file).unwrap().metadata().unwrap().len(), 4);
        let error = |path: &Path| open_regular_file(path).unwrap_err().to_string();
        assert_eq!(error(&fifo), "it is a FIFO, not a regular file");
        assert_eq!(error(folder.path()), "it is a folder, not a regular file");
        assert_eq!(error(Path::new("/dev/zero")), "it is a device or socket, not a regular file");
        let writing = open_regular_file_with(OpenOptions::new().write(true), &fifo).unwrap_err();
        assert_eq!(writing.raw_os_error(), Some(rustix::io::Errno::NXIO.raw_os_error()));
    }
}
