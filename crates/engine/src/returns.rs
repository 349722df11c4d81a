//! What comes back beside the result: the display, figures and files, within their limits.

use protocol::{
    frame::MAX_FIGURES,
    message::{Display, Figure, FilePiece},
};

use crate::{
    files::{FileContent, FilePath, OutputFile},
    large::LargeTurn,
};

/// How much may come back of one execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnLimits {
    /// Bytes of all figures and the display together.
    pub figures: u64,
    /// Number of files.
    pub max_files: u32,
    /// Bytes of all files together.
    pub files: u64,
}

/// What has come back so far. Memory: at most the limits.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    pub(crate) display: Option<Display>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) files: Vec<OutputFile>,
    /// Once it is large.
    pub(crate) turn: Option<LargeTurn>,
    drawn: u64,
    filed: u64,
}

/// What no runner sends back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReturnable {
    #[error("a second display")]
    SecondDisplay,
    #[error("more figures than their limit")]
    TooManyFigures,
    #[error("more files than their limit")]
    TooManyFiles,
    #[error("an empty piece of a file that has begun")]
    EmptyPiece,
    #[error("a file with a path that is none")]
    BadPath,
    #[error("files out of order")]
    OutOfOrder,
}

impl Returned {
    /// Bytes.
    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.drawn + self.filed).unwrap_or(usize::MAX)
    }

    pub(crate) fn display(&mut self, display: Display, limits: &ReturnLimits) -> Result<(), NotReturnable> {
        let size = [Some(&display.text), display.html.as_ref(), display.png.as_ref()];
        self.draw(size.iter().flatten().map(|part| part.len()).sum(), limits)?;
        if self.display.replace(display).is_some() {
            return Err(NotReturnable::SecondDisplay);
        }
        Ok(())
    }

    pub(crate) fn figure(&mut self, figure: Figure, limits: &ReturnLimits) -> Result<(), NotReturnable> {
        self.draw(figure.png.len(), limits)?;
        if self.figures.len() == MAX_FIGURES {
            return Err(NotReturnable::TooManyFigures);
        }
        self.figures.push(figure);
        Ok(())
    }

    fn draw(&mut self, size: usize, limits: &ReturnLimits) -> Result<(), NotReturnable> {
        self.drawn += size as u64;
        if self.drawn > limits.figures { Err(NotReturnable::TooManyFigures) } else { Ok(()) }
    }

    pub(crate) fn file(&mut self, piece: FilePiece, limits: &ReturnLimits) -> Result<(), NotReturnable> {
        self.filed += piece.content.len() as u64;
        if self.filed > limits.files {
            return Err(NotReturnable::TooManyFiles);
        }
        let is_full = self.files.len() >= limits.max_files as usize;
        match self.files.last_mut() {
            Some(file) if file.path.as_str() == piece.path => {
                // Otherwise they could go on for ever.
                if piece.content.is_empty() {
                    return Err(NotReturnable::EmptyPiece);
                }
                file.content.push(piece.content);
                Ok(())
            }
            Some(file) if *file.path.as_str() > *piece.path => Err(NotReturnable::OutOfOrder),
            _ if is_full => Err(NotReturnable::TooManyFiles),
            _ => {
                let path = FilePath::new(piece.path).map_err(|_| NotReturnable::BadPath)?;
                let mut content = FileContent::default();
                content.push(piece.content);
                self.files.push(OutputFile { path, content });
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const LIMITS: ReturnLimits = ReturnLimits { figures: 100, max_files: 2, files: 10 };

    /// The contents by path, or the error of the first piece that is refused.
    fn filed(pieces: &[(&str, &'static str)]) -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut returned = Returned::default();
        for (path, content) in pieces {
            let piece =
                FilePiece { path: (*path).to_owned(), content: Bytes::from_static(content.as_bytes()) };
            returned.file(piece, &LIMITS).map_err(|error| error.to_string())?;
        }
        let file = |file: OutputFile| (file.path.as_str().to_owned(), file.content.into_vec());
        Ok(returned.files.into_iter().map(file).collect())
    }

    #[test]
    fn pieces_of_a_path_are_one_file() {
        let files = filed(&[("a", ""), ("b", "12345"), ("b", "67"), ("b", "890")]).unwrap();
        assert_eq!(files, [("a".to_owned(), b"".to_vec()), ("b".to_owned(), b"1234567890".to_vec())]);
    }

    #[test]
    fn files_beyond_their_limits_out_of_order_or_without_end_are_refused() {
        for (pieces, error) in [
            (&[("a", "12345"), ("b", "123456")][..], "more files than their limit"),
            (&[("a", ""), ("b", ""), ("c", "")], "more files than their limit"),
            (&[("a", ""), ("a", "")], "an empty piece of a file that has begun"),
            (&[("b", ""), ("a", "")], "files out of order"),
            (&[("../a", "")], "a file with a path that is none"),
        ] {
            assert_eq!(filed(pieces).unwrap_err(), error, "{pieces:?}");
        }
    }

    #[test]
    fn figures_and_the_display_share_a_limit_and_figures_are_counted() {
        let figure = |size| Figure { png: vec![0; size].into(), width: 1, height: 1 };
        let display = |size| Display { text: "x".repeat(size), html: None, png: Some("y".repeat(size)) };
        let mut returned = Returned::default();
        returned.display(display(30), &LIMITS).unwrap();
        returned.figure(figure(40), &LIMITS).unwrap();
        let error = returned.figure(figure(1), &LIMITS).unwrap_err();
        assert_eq!(error.to_string(), "more figures than their limit");
        let mut returned = Returned::default();
        returned.display(display(1), &LIMITS).unwrap();
        assert_eq!(returned.display(display(1), &LIMITS).unwrap_err().to_string(), "a second display");
        let mut returned = Returned::default();
        (0..MAX_FIGURES).for_each(|_| returned.figure(figure(1), &LIMITS).unwrap());
        assert!(returned.figure(figure(1), &LIMITS).is_err());
    }
}
