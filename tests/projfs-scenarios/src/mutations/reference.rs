//! Of the reference provider.

use super::Mutation;

const PROVIDER: &str = "tests/projfs-scenarios/src/bin/projfs-reference/provider.rs";
const PACKAGES: &str = "tests/projfs-scenarios/src/bin/projfs-reference/packages.rs";

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        what: "listings are sorted backwards",
        file: PACKAGES,
        text: "nodes.sort_by(|a, b| wide::compare(&a.path.0, &b.path.0));",
        replacement: "nodes.sort_by(|a, b| wide::compare(&b.path.0, &a.path.0));",
        noticed_by: "a listing is sorted",
    },
    Mutation {
        what: "an entry that did not fit is lost",
        file: PROVIDER,
        text: "return if filled { S_OK } else { result };",
        replacement: "listing.at += 1; return if filled { S_OK } else { result };",
        noticed_by: "a listing is sorted",
    },
    Mutation {
        what: "a restart is not heeded",
        file: PROVIDER,
        text: "if !listing.begun || flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN != 0 {",
        replacement: "if !listing.begun || flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN == 99 {",
        noticed_by: "a listing that is restarted",
    },
    Mutation {
        what: "patterns are not heeded",
        file: PROVIDER,
        text: "is_none_or(|pattern| wide::matches(&name.0, &pattern.0))",
        replacement: "is_none_or(|_| true)",
        noticed_by: "a pattern of * and ?",
    },
    Mutation {
        what: "data are shifted by a byte",
        file: PROVIDER,
        text: "file.seek(SeekFrom::Start(at))?;",
        replacement: "file.seek(SeekFrom::Start(at.saturating_sub(1)))?;",
        noticed_by: "files of any size",
    },
    Mutation {
        what: "a command is completed before all data are there",
        file: PROVIDER,
        text: "at += part;",
        replacement: "at = end;",
        noticed_by: "files of any size",
    },
    Mutation {
        what: "data are asked for by the path's case, not by the name that shows",
        file: PACKAGES,
        text: ".find(|node| wide::compare(&node.path.split().1.0, &name.0).is_eq())",
        replacement: ".find(|node| node.path.split().1.0 == name.0)",
        noticed_by: "a name is found in any case",
    },
    Mutation {
        what: "files have no read-only attribute",
        file: PROVIDER,
        text: "if self.sealed && !directory {",
        replacement: "if self.sealed && directory {",
        noticed_by: "the read-only attribute alone",
    },
    Mutation {
        what: "placeholders have no descriptor",
        file: PROVIDER,
        text: "let extra: &[u8] = if node.sealed { &provider.sealed } else { &[] };",
        replacement: "let extra: &[u8] = if node.written == 1 { &provider.sealed } else { &[] };",
        noticed_by: "nothing can be made in a payload",
    },
    Mutation {
        what: "the owner may change the descriptor",
        file: PROVIDER,
        text: "(A;OICI;RC;;;OW)",
        replacement: "",
        noticed_by: "attributes, times and permissions",
    },
    Mutation {
        what: "a conversion to full is not vetoed",
        file: PROVIDER,
        text: "        | PRJ_NOTIFICATION_FILE_PRE_CONVERT_TO_FULL\n",
        replacement: "",
        noticed_by: "the vetoes alone",
    },
    Mutation {
        what: "deletions are not asked about",
        file: PROVIDER,
        text: "NotificationBitMask: PRJ_NOTIFY_PRE_DELETE\n            | PRJ_NOTIFY_PRE_RENAME",
        replacement: "NotificationBitMask: PRJ_NOTIFY_PRE_RENAME",
        noticed_by: "the vetoes alone",
    },
    Mutation {
        what: "a root that exists is refused",
        file: PROVIDER,
        text: "if marked != S_OK && marked != Code::REPARSE_POINT_ENCOUNTERED.hresult() {",
        replacement: "if marked != S_OK {",
        noticed_by: "it starts again on the same root",
    },
    Mutation {
        what: "a flush forgets nothing",
        file: PROVIDER,
        text: "self.take_back(&Wide::from(format!(r\"{TREES}\\{tree}\").as_str()));",
        replacement: "let _ = tree;",
        noticed_by: "what was flushed",
    },
    Mutation {
        what: "content identifiers are the same for all",
        file: PROVIDER,
        text: "let sum = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);",
        replacement: "let sum = |sum: u64, _: &u8| sum;",
        noticed_by: "equal contents",
    },
];
