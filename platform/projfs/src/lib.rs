//! The view through the Windows Projected File System (ProjFS).
