#![cfg(windows)]
