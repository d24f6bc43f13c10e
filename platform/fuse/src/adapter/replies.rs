//! Outcomes of operations as the replies that fuser sends.

use fuser::{
    Errno, Generation, OpenAccMode, OpenFlags, ReplyAttr, ReplyEntry, ReplyXattr, Request,
    TimeOrNow,
};
use pkgfs_view::{Caller, Found, Keep, Lookup, NodeId, Timestamp};

use crate::shape::{absent, attributes, ttl};

pub(super) fn caller(request: &Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), pid: request.pid() }
}

pub(super) fn entry(reply: ReplyEntry, outcome: Result<Lookup, Errno>) {
    match outcome {
        Ok(Lookup::Found(found)) => {
            let (values, name) = (ttl(found.values), ttl(found.name));
            reply.entry_with_ttls(&values, &name, &attributes(&found.attributes), Generation(0));
        }
        Ok(Lookup::Absent(Keep::Never)) => reply.error(Errno::ENOENT),
        Ok(Lookup::Absent(keep)) => {
            let keep = ttl(keep);
            reply.entry_with_ttls(&keep, &keep, &absent(), Generation(0));
        }
        Err(error) => reply.error(error),
    }
}

pub(super) fn attr(reply: ReplyAttr, outcome: Result<Found, Errno>) {
    match outcome {
        Ok(found) => reply.attr(&ttl(found.values), &attributes(&found.attributes)),
        Err(error) => reply.error(error),
    }
}

pub(super) fn xattr(reply: ReplyXattr, size: u32, outcome: Result<Vec<u8>, Errno>) {
    match outcome {
        Ok(value) if size == 0 => reply.size(u32::try_from(value.len()).unwrap_or(u32::MAX)),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
        Err(error) => reply.error(error),
    }
}

pub(super) fn writes(flags: OpenFlags) -> bool {
    flags.acc_mode() != OpenAccMode::O_RDONLY
}

pub(super) fn moment(time: TimeOrNow) -> Timestamp {
    match time {
        TimeOrNow::SpecificTime(at) => at.into(),
        TimeOrNow::Now => Timestamp::now(),
    }
}

/// Why an extended attribute is not set. Python's `copystat`, with which rez copies in,
/// takes "not supported" for an answer and fails at "read-only".
pub(super) fn no_xattrs(node: NodeId) -> Errno {
    if node.is_writable() { Errno::EOPNOTSUPP } else { Errno::EROFS }
}
