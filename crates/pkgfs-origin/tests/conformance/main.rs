//! What every backend must do, run against each: the one suite is in [`suite`]. The
//! worker process with its client is one more subject, since it must answer just as
//! the backend inside it does.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../harness/mod.rs"]
mod harness;
mod remote;
mod suite;

macro_rules! conformance {
    ($mounted:ident, $in_a_worker:ident: $($case:ident)*) => {
        mod $mounted {
            $(#[test] fn $case() { super::suite::$case(&pkgfs_origin::backend::Mounted) })*
        }
        mod $in_a_worker {
            $(#[test] fn $case() { super::suite::$case(&super::remote::Remote::start()) })*
        }
    };
}

conformance! {
    mounted, mounted_in_a_worker:
    a_file_arrives_whole_with_its_digest
    a_file_in_another_state_than_expected_is_not_fetched
    what_took_a_files_place_is_a_change
    any_part_of_a_file_is_read_and_only_in_the_expected_state
    a_fetch_writes_no_byte_beyond_the_expected_size
    progress_tells_bytes_that_are_in_place
    a_missing_file_is_told_from_a_directory_and_from_a_parent_that_is_a_file
    a_small_file_is_read_whole_or_refused_for_its_size
    entries_have_their_size_their_time_and_their_kind
    a_directory_of_many_thousand_entries_is_listed_whole
    a_small_file_costs_an_open_a_read_and_a_stat
}

#[cfg(unix)]
conformance! {
    mounted_on_unix, mounted_on_unix_in_a_worker:
    a_file_that_ends_before_its_size_is_not_fetched
    a_fifo_or_socket_in_a_files_place_is_a_change
    a_fifo_is_listed_and_never_waited_for
    attributes_are_those_of_what_a_link_leads_to
    names_come_with_their_kinds
    a_path_is_resolved_through_its_links
    only_user_xattrs_are_given
    entries_have_all_their_attributes
    names_that_are_not_utf_8_and_names_of_255_bytes_are_listed_and_fetched
    links_inside_the_variant_are_kept
    absolute_links_into_the_variant_become_relative
    links_that_climb_out_and_come_back_become_relative
    dangling_links_are_kept
    links_into_a_repository_show_what_they_point_to
    links_elsewhere_become_absolute
    a_link_to_a_directory_that_holds_it_stays_a_link
    a_loop_through_two_packages_ends
    links_in_a_tree_shown_in_place_work_like_those_in_a_variant
    a_variant_root_that_is_itself_a_link_is_one_tree
}

#[cfg(windows)]
conformance! {
    mounted_on_windows, mounted_on_windows_in_a_worker:
    a_file_that_another_keeps_to_himself_is_neither_missing_nor_changed
    whoever_reads_keeps_nobody_from_anything
    a_missing_drive_or_share_is_never_a_missing_file
    names_of_any_kind_and_long_paths_are_listed_and_fetched
    all_may_read_and_what_ends_as_programs_do_runs
    an_access_list_is_told_where_it_is_asked_for
}
