//! What goes in: the tar of one request. Its entries are listed in `PROTOCOL.md`.

use std::io;

use crate::request::ExecutionRequest;

/// Packs a request. Takes about as much memory as the request itself.
pub(crate) fn pack(request: &ExecutionRequest) -> io::Result<Vec<u8>> {
    let args = serde_json::to_vec(&request.args)?;
    let fields: [(&str, &[u8]); 4] = [
        ("main.py", request.code.as_bytes()),
        ("input.json", request.input_data.get().as_bytes()),
        ("args.json", &args),
        ("stdin", request.stdin.as_bytes()),
    ];
    // Each is a kilobyte at least: what is as it would be without goes unsaid.
    let fields = fields.into_iter().filter(|(path, content)| {
        !matches!((*path, *content), ("input.json", b"{}") | ("args.json", b"[]") | ("stdin", b""))
    });
    let files =
        request.files.iter().map(|file| (format!("files/{}", file.path.as_str()), file.content.as_slice()));
    let entries: Vec<_> = fields.map(|(path, content)| (path.to_owned(), content)).chain(files).collect();
    let content: usize = entries.iter().map(|(_, content)| content.len()).sum();
    // A header and padding an entry, two blocks at the end.
    let mut archive = tar::Builder::new(Vec::with_capacity(content + 1024 * (entries.len() + 1)));
    for (path, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, path, content)?;
    }
    archive.into_inner()
}
