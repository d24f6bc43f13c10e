use pkgfs_store::DirectoryId;

use super::*;
use crate::sys;

const VARIANT: RegistrationId = RegistrationId(1);

fn process(number: u32) -> ProcessId {
    sys::tests::made_up(number)
}

fn file(entry: u32) -> FileKey {
    FileKey { directory: DirectoryId(1), entry }
}

fn seen(number: u32, ancestors: &[u32], context: &str) -> Seen {
    Seen {
        process: process(number),
        ancestors: ancestors.iter().map(|number| process(*number)).collect(),
        context: context.to_owned(),
    }
}

fn join(launches: &mut Launches<bool>, seen: Seen, now: Instant) -> LaunchId {
    launches.join(seen, now, || false)
}

#[test]
fn processes_of_a_context_share_a_launch_and_those_of_another_have_theirs() {
    let (mut launches, now) = (Launches::default(), Instant::now());
    let first = join(&mut launches, seen(10, &[1], "a"), now);
    assert_eq!(join(&mut launches, seen(11, &[1], "a"), now), first);
    let other = join(&mut launches, seen(12, &[1], "b"), now);
    assert_ne!(other, first);
    assert_eq!(launches.touch(first, VARIANT, file(0), true, now), Some(true));
    assert_eq!(launches.touch(first, VARIANT, file(1), true, now), Some(false));
    assert_eq!(launches.touch(first, VARIANT, file(0), true, now), Some(false));
    assert_eq!(launches.touch(other, VARIANT, file(0), false, now), Some(true));
    let ended = launches.end();
    let ranks = |at: usize| {
        let mut ranks: Vec<_> =
            ended[at].touched.iter().map(|(key, t)| (key.entry, t.rank)).collect();
        ranks.sort_unstable();
        ranks
    };
    assert_eq!((ranks(0), ended[0].all_show), (vec![(0, 0), (1, 1)], true));
    assert_eq!((ranks(1), ended[1].all_show), (vec![(0, 0)], false));
}

#[test]
fn what_a_process_or_its_children_touch_after_its_launch_is_no_start() {
    let (mut launches, now) = (Launches::default(), Instant::now());
    let launch = join(&mut launches, seen(10, &[1], "a"), now);
    launches.touch(launch, VARIANT, file(0), true, now);
    assert_eq!(launches.over(now + QUIET / 2, |busy| *busy).len(), 0);
    let later = now + QUIET;
    assert_eq!(launches.over(later, |busy| *busy).len(), 1);
    assert_eq!(launches.launch_of(process(10)), Some(launch));
    assert_eq!(launches.touch(launch, VARIANT, file(1), true, later), None);
    // A helper, and one started by way of a process that touched nothing.
    assert_eq!(join(&mut launches, seen(11, &[10, 1], "a"), later), launch);
    assert_eq!(join(&mut launches, seen(12, &[77, 10, 1], "a"), later), launch);
    assert!(!launches.any());
    // What a launcher starts in another context is a start.
    assert_ne!(join(&mut launches, seen(14, &[10, 1], "b"), later), launch);
    // The same program started again by somebody else.
    assert_ne!(join(&mut launches, seen(13, &[1], "a"), later), launch);
    assert!(launches.any());
}

/// A process that is about to become a program had the context of the shell that started it: that
/// launch was then of one file, and the program's own without it.
#[test]
fn a_process_that_turns_out_to_run_in_another_context_moves_there_with_what_it_touched() {
    let (mut launches, now) = (Launches::default(), Instant::now());
    let shell = join(&mut launches, seen(10, &[1], ""), now);
    launches.touch(shell, VARIANT, file(0), true, now);
    launches.began_with(process(10), VARIANT, file(0), true);
    assert!(launches.is_uncertain(process(10)));
    let own = join(&mut launches, seen(10, &[1], "a"), now);
    assert_ne!(own, shell);
    assert_eq!(join(&mut launches, seen(10, &[1], "a"), now), own);
    for entry in 1..UNCERTAIN as u32 {
        let first = entry == 1;
        assert_eq!(launches.touch(own, VARIANT, file(entry), true, now), Some(first));
        launches.began_with(process(10), VARIANT, file(entry), true);
    }
    assert!(!launches.is_uncertain(process(10)));
    let ended = launches.end();
    let touched: Vec<_> =
        ended.iter().map(|launch| (&*launch.context, launch.touched.len())).collect();
    assert_eq!(touched, [("", 0), ("a", UNCERTAIN)]);
    assert_eq!(ended[1].touched[&file(0)].rank, 0);
}

#[test]
fn a_launch_goes_on_while_its_files_are_fetched_but_not_for_ever() {
    let (mut launches, now) = (Launches::default(), Instant::now());
    launches.join(seen(10, &[], ""), now, || true);
    assert_eq!(launches.over(now + 2 * QUIET, |busy| *busy).len(), 0);
    assert_eq!(launches.over(now + LONGEST, |busy| *busy).len(), 1);
}

#[test]
fn a_thread_is_believed_to_be_of_its_process_for_a_while() {
    let (mut launches, now) = (Launches::<()>::default(), Instant::now());
    assert_eq!(launches.process_of(5, now), None);
    launches.thread_of(5, process(4), now);
    assert_eq!(launches.process_of(5, now + BELIEVED / 2), Some(process(4)));
    assert_eq!(launches.process_of(5, now + BELIEVED), None);
}

#[test]
fn however_many_processes_there_are_few_are_remembered() {
    let (mut launches, now) = (Launches::default(), Instant::now());
    for number in 0..3 * MOST_PROCESSES as u32 {
        join(&mut launches, seen(number, &[], &format!("{}", number % 2)), now);
        launches.thread_of(number, process(number), now);
        launches.end();
    }
    assert!(launches.processes.len() <= MOST_PROCESSES && launches.threads.len() <= MOST_PROCESSES);
}

#[test]
fn reads_count_for_the_launches_that_touched_the_file() {
    let (mut launches, now) = (Launches::default(), Instant::now());
    let launch = join(&mut launches, seen(10, &[], "a"), now);
    join(&mut launches, seen(11, &[], "b"), now);
    launches.touch(launch, VARIANT, file(0), true, now);
    launches.read(file(0), &(5..9), now);
    launches.read(file(1), &(0..4), now);
    launches.read(file(0), &(1..2), now);
    let ended = launches.end();
    assert_eq!(ended[0].touched[&file(0)].reads, [5..9, 1..2]);
    assert!(ended[1].touched.is_empty());
}
