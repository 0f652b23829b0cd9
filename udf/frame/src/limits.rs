//! What either side accepts at most. A guest is not trusted with more than this, and neither is a frame.

/// Columns of one frame or signature.
pub const MAX_COLUMNS: usize = 1024;
/// Rows of one frame.
pub const MAX_ROWS: usize = 1 << 24;
/// Bytes of a column's or a function's name.
pub const MAX_NAME: usize = 256;
/// Bytes of a signature's JSON text.
pub const MAX_SIGNATURE: usize = 1 << 20;
/// Functions of one signature.
pub const MAX_FUNCTIONS: usize = 64;
/// Bytes of one frame.
pub const MAX_FRAME: usize = 1 << 30;
