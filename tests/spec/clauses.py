"""Which test shows which clause of the policy and of the law, and what is still to come.

A clause is shown by tests that begin with a submission and end on what is seen outside, or by the
unit or acceptance test that shows it best. What `later` names is not done yet, or not wholly.
"""

from __future__ import annotations

from dataclasses import dataclass

ACCESS, ERASURE = "tests/spec/test_access.py::", "tests/spec/test_erasure.py::"
REQUESTS, IDENTITY = "tests/spec/test_requests.py::", "tests/spec/test_identity.py::"
POLICY, LARGE = "tests/spec/test_policy.py::", "tests/chaos/test_large.py::"
INFORMATION, RETENTION = "tests/spec/test_information.py::", "tests/spec/test_retention.py::"
DOCUMENTS, CHANGES = "tests/spec/test_documents.py::", "tests/spec/test_policy_changes.py::"
DECIDE, OPEN = "tests/spec/test_people_decide.py::", "tests/spec/test_open_items.py::"
OWED, RECIPIENTS = "tests/integration/test_obligations.py::", "tests/spec/test_recipients.py::"
TAKEN = "tests/spec/test_taken_items.py::"
BACK, SCREENED = "tests/spec/test_who_comes_back.py::", "tests/integration/test_screen.py::"
BROUGHT = "tests/spec/test_brought_back.py::"
BREACHES = "tests/spec/test_breaches.py::"
REMEMBERED = "tests/integration/test_memory.py::"
PREFERENCES = "tests/spec/test_preferences.py::"
ROWS, TIME = "tests/spec/test_policy_rows.py::", "tests/spec/test_time.py::"

PERSON = "tests/spec/test_same_person.py::"
OWN, TAKE_ALONG = "tests/spec/test_own_records.py::", "tests/spec/test_portability.py::"
CORRECTED, RESTRICTED = "tests/spec/test_rectification.py::", "tests/spec/test_restriction.py::"
OBJECTED, MACHINES = "tests/spec/test_objection.py::", "tests/spec/test_automated_decisions.py::"

CLAIMS = "a restriction that outlives the date on which something kept is erased"
PORTAL = "the person's portal and the DPO's console"
REVIEW = "review of a copy before it leaves"
INTAKES = "more intakes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A row of the table: `name` is ours, `article` what the tests cite."""

    name: str
    article: str
    shown: tuple[str, ...] = ()
    """Tests, as `file::test`."""
    later: str = ""
    """The subject of what is left; empty if nothing is."""


CLAUSES: dict[int, Clause] = {
    1: Clause(
        name="any channel counts",
        article="Art. 12(2)",
        shown=(
            f"{REQUESTS}test_the_month_runs_from_the_arrival_at_any_channel",
            f"{REQUESTS}test_what_was_passed_on_too_late_is_worked_on_and_the_dpo_is_told",
        ),
        later=INTAKES,
    ),
    2: Clause(name="children", article="Art. 8", later="guards: children"),
    3: Clause(
        name="the notice in force",
        article="Art. 13",
        shown=(
            f"{ACCESS}test_a_policy_is_pinned_when_the_request_comes_in",
            f"{INFORMATION}test_who_answers_is_said_with_address_and_the_notice_that_is_followed",
            f"{INFORMATION}test_the_notice_of_the_day_of_the_request_and_that_of_today",
        ),
        later="the notice at collection, with every record",
    ),
    4: Clause(
        name="the controller by name",
        article="Art. 4(7)",
        shown=(
            f"{ACCESS}test_an_answer_names_its_controller_and_whom_to_write_to",
            f"{INFORMATION}test_who_answers_is_said_with_address_and_the_notice_that_is_followed",
        ),
    ),
    5: Clause(
        name="the Data Protection Officer",
        article="Art. 38(4)",
        shown=(
            f"{ACCESS}test_an_answer_names_its_controller_and_whom_to_write_to",
            f"{OPEN}test_what_is_open_waits_for_a_person_who_is_told_once_and_reminded",
            f"{OPEN}test_a_contested_record_is_on_the_list_and_its_case_is_not_answered",
            f"{OPEN}test_a_customer_whose_address_nobody_knows_is_told_by_the_dpo_who_says_so",
            f"{OPEN}test_the_dpo_hears_of_what_comes_to_wait_later_as_well",
            f"{OPEN}test_an_item_is_settled_by_whom_it_waits_for",
            f"{TAKEN}test_what_waits_is_whose_who_takes_it_or_takes_it_over",
            f"{TAKEN}test_what_nobody_takes_is_asked_for_until_somebody_does",
            f"{TAKEN}test_what_somebody_has_taken_is_reminded_of_once",
            f"{DECIDE}test_a_decision_is_kept_with_who_took_it_in_which_role_and_why",
            "tests/unit/test_response_report.py::test_the_page_shows_the_matrix_and_no_person",
        ),
    ),
    6: Clause(
        name="uploads are a customer's",
        article="Art. 28(3)",
        shown=(
            f"{DOCUMENTS}test_neither_copied_nor_erased_and_the_customer_is_told",
            f"{DOCUMENTS}test_what_is_ours_beside_them_is_copied_and_erased",
            f"{DOCUMENTS}test_where_nobody_knows_the_customer_the_dpo_has_it_on_their_list",
        ),
    ),
    7: Clause(
        name="anonymous or not",
        article="Art. 4(5)",
        shown=(f"{ERASURE}test_what_is_blanked_is_said_to_be_blanked_and_never_to_be_anonymous",),
        later="a test of anonymity",
    ),
    8: Clause(
        name="identity data",
        article="Art. 15(1)(b)",
        shown=(f"{ACCESS}test_each_category_that_is_held_is_named_as_the_policy_names_it",),
    ),
    9: Clause(
        name="contact data",
        article="Art. 15(3)",
        shown=(f"{ACCESS}test_the_copy_is_faithful_word_for_word_and_of_nobody_else",),
    ),
    10: Clause(
        name="transaction data",
        article="Art. 15(3)",
        shown=(f"{ACCESS}test_payments_are_copied_without_the_number_of_a_card",),
    ),
    11: Clause(
        name="technical data",
        article="Art. 11(2)",
        shown=(f"{ACCESS}test_where_the_data_come_from_is_said_with_third_parties_by_name",),
        later="identifiers of devices",
    ),
    12: Clause(
        name="profile data, and never a password",
        article="Art. 15",
        shown=(f"{ACCESS}test_the_copy_is_faithful_word_for_word_and_of_nobody_else",),
        later="the database of our own application",
    ),
    13: Clause(
        name="usage data",
        article="Art. 15(1)(b)",
        shown=(
            f"{ACCESS}test_each_category_that_is_held_is_named_as_the_policy_names_it",
            f"{INFORMATION}test_rights_follow_from_the_ground_of_each_use",
            f"{TAKE_ALONG}test_only_what_rests_on_consent_or_a_contract",
        ),
    ),
    14: Clause(
        name="marketing data",
        article="Art. 21(3)",
        shown=(
            f"{ERASURE}test_the_wish_to_get_no_marketing_outlives_everything_else",
            f"{OWN}test_what_they_consented_to_and_refused_is_told_and_kept",
        ),
    ),
    15: Clause(name="aggregates", article="Recital 26", later="a test of anonymity"),
    16: Clause(name="no special categories", article="Art. 9", later="guards: special categories"),
    17: Clause(
        name="what an erasure ends",
        article="Art. 12(1)",
        shown=(f"{RETENTION}test_while_a_subscription_is_open_the_years_have_not_begun",),
        later=f"{PORTAL}: what follows is said before it is confirmed",
    ),
    18: Clause(
        name="given by the person",
        article="Art. 15(1)(g)",
        shown=(
            f"{ACCESS}test_where_the_data_come_from_is_said_with_third_parties_by_name",
            f"{INFORMATION}test_a_source_is_said_for_sure_perhaps_or_not_known",
        ),
    ),
    19: Clause(
        name="collected by machines",
        article="Art. 15(3)",
        shown=(
            f"{REQUESTS}test_a_copy_has_what_was_there_when_the_search_was_made",
            f"{INFORMATION}test_a_source_is_said_for_sure_perhaps_or_not_known",
        ),
    ),
    20: Clause(
        name="from third parties, by name",
        article="Art. 15(1)(g)",
        shown=(
            f"{ACCESS}test_where_the_data_come_from_is_said_with_third_parties_by_name",
            f"{INFORMATION}test_a_source_is_said_for_sure_perhaps_or_not_known",
            f"{BACK}test_the_same_feed_is_said_once_a_day_and_another_one_beside_it",
        ),
    ),
    21: Clause(
        name="a ground for each purpose",
        article="Art. 6(1)",
        shown=(
            f"{ACCESS}test_each_purpose_stands_beside_the_ground_it_rests_on",
            f"{INFORMATION}test_a_use_on_several_grounds_is_told_for_each",
            f"{INFORMATION}test_rights_follow_from_the_ground_of_each_use",
            f"{ROWS}test_a_change_of_any_single_row_is_seen",
        ),
    ),
    22: Clause(
        name="consent, and its withdrawal",
        article="Art. 7(3)",
        shown=(
            f"{INFORMATION}test_what_rests_on_consent_can_be_withdrawn_and_is_said_to_need_it",
            f"{PREFERENCES}test_a_consent_can_be_shown_with_what_it_was_given_to",
            f"{PREFERENCES}test_to_withdraw_is_as_easy_as_to_give_and_ends_it_everywhere",
            f"{PREFERENCES}test_recipients_who_advertise_for_us_hear_of_a_withdrawal",
        ),
    ),
    23: Clause(
        name="the grounds explained",
        article="Art. 13(1)(d)",
        shown=(
            f"{ACCESS}test_each_purpose_stands_beside_the_ground_it_rests_on",
            f"{INFORMATION}test_a_use_on_several_grounds_is_told_for_each",
            f"{INFORMATION}test_of_each_sort_of_data_it_is_said_which_rights_there_are_and_why_not",
        ),
    ),
    24: Clause(
        name="one click ends marketing",
        article="Art. 21(2)",
        shown=(
            f"{INFORMATION}test_marketing_is_named_with_the_right_to_end_it",
            f"{PREFERENCES}test_one_click_in_a_mail_is_the_same_as_any_withdrawal",
        ),
    ),
    25: Clause(
        name="profiling for marketing ends too",
        article="Art. 21(2)",
        shown=(f"{OBJECTED}test_profiling_for_marketing_ends_with_it",),
    ),
    26: Clause(
        name="who may be written to",
        article="ePrivacy Art. 13(2)",
        shown=(
            f"{INFORMATION}test_marketing_is_named_with_the_right_to_end_it",
            f"{PREFERENCES}test_a_customer_is_written_to_where_their_law_lets_us",
        ),
    ),
    27: Clause(
        name="third-party marketing",
        article="Art. 6(1)(a)",
        shown=(
            f"{INFORMATION}test_what_rests_on_consent_can_be_withdrawn_and_is_said_to_need_it",
            f"{PREFERENCES}test_a_consent_to_one_use_is_none_to_another",
        ),
    ),
    28: Clause(
        name="opting out leaves service mail on",
        article="Art. 21(3)",
        shown=(
            f"{REQUESTS}test_who_unsubscribed_still_gets_the_answer",
            f"{PREFERENCES}test_messages_that_a_contract_asks_for_still_come",
        ),
    ),
    29: Clause(name="cookies", article="Art. 11(2)", later="identifiers of devices"),
    30: Clause(
        name="recipients by name",
        article="Art. 15(1)(c)",
        shown=(
            f"{ACCESS}test_those_who_have_the_data_are_named",
            f"{INFORMATION}test_who_cannot_be_asked_is_named_with_what_they_may_have",
            f"{INFORMATION}test_when_a_recipient_was_told_is_said_and_when_it_received_is_not_known",
            f"{RECIPIENTS}test_who_asks_for_a_copy_is_asked_for_at_those_who_process_for_us",
            f"{RECIPIENTS}test_an_erasure_instructs_processors_and_informs_those_who_decide",
            f"{RECIPIENTS}test_nobody_is_told_before_it_is_known_who_asks",
            f"{RECIPIENTS}test_what_a_recipient_says_otherwise_the_dpo_records",
            f"{POLICY}test_every_system_is_a_named_recipient",
        ),
    ),
    31: Clause(
        name="on instruction only, and proved",
        article="Art. 28(3)",
        shown=(
            f"{ERASURE}test_what_the_vendor_calls_erased_and_still_shows_is_never_called_erased",
            "tests/security/test_orders.py::test_grants_cannot_be_exchanged_within_an_order",
            f"{RECIPIENTS}test_nobody_is_told_to_erase_before_the_plan_is_approved",
            f"{RECIPIENTS}test_for_what_is_withdrawn_nobody_is_told_to_erase",
            f"{RECIPIENTS}test_who_holds_a_copy_to_send_sends_it_before_they_erase",
            f"{RECIPIENTS}test_who_says_nothing_is_reminded_and_then_a_person_sees_to_it",
            f"{RECIPIENTS}test_an_acknowledgement_is_their_word_and_nothing_is_proved_by_it",
        ),
    ),
    32: Clause(name="whoever buys the business", article="Art. 19", later="mergers"),
    33: Clause(
        name="six years of what the law asks for",
        article="Art. 17(3)",
        shown=(
            f"{ERASURE}test_of_a_customer_each_category_goes_or_stays_for_a_reason_that_is_said",
            f"{ERASURE}test_of_somebody_who_never_bought_nothing_is_kept",
            f"{RETENTION}test_what_a_customer_is_called_stays_for_six_years_after_the_end",
            f"{RETENTION}test_whoever_was_in_touch_later_is_kept_from_then",
            f"{RETENTION}test_a_day_that_nobody_can_tell_is_not_guessed",
            f"{RETENTION}test_what_ended_more_than_six_years_ago_is_kept_no_longer",
            f"{RETENTION}test_a_trial_without_a_payment_has_no_ground_to_stay",
            f"{RETENTION}test_while_a_subscription_is_open_the_years_have_not_begun",
            f"{OWED}test_what_was_kept_goes_in_year_six_when_every_other_key_is_long_dead",
            f"{OWED}test_who_is_a_customer_again_stays_and_is_looked_at_when_that_ended",
            f"{OWED}test_what_has_no_date_is_looked_at_each_year_until_it_has_one",
        ),
    ),
    34: Clause(
        name="erasure under conditions",
        article="Art. 17(1)",
        shown=(
            f"{ERASURE}test_of_a_customer_each_category_goes_or_stays_for_a_reason_that_is_said",
            f"{ERASURE}test_a_card_stays_while_its_payment_is_disputed_and_all_else_goes",
        ),
    ),
    35: Clause(
        name="anonymised instead of erased",
        article="Recital 26",
        shown=(f"{ERASURE}test_what_is_blanked_is_said_to_be_blanked_and_never_to_be_anonymous",),
        later="a test of anonymity",
    ),
    36: Clause(
        name="access",
        article="Art. 15",
        shown=(
            f"{ACCESS}test_the_copy_is_faithful_word_for_word_and_of_nobody_else",
            f"{ACCESS}test_each_purpose_stands_beside_the_ground_it_rests_on",
            f"{ACCESS}test_complaint_and_court_are_named",
        ),
    ),
    37: Clause(
        name="rectification",
        article="Art. 16",
        shown=(
            f"{CORRECTED}test_it_is_corrected_in_every_system_that_has_it",
            f"{CORRECTED}test_what_is_incomplete_is_completed",
            f"{CORRECTED}test_what_is_disputed_is_restricted_until_a_person_has_decided",
            f"{CORRECTED}test_a_statement_stands_beside_what_is_held",
            f"{CORRECTED}test_recipients_hear_what_is_right",
        ),
    ),
    38: Clause(
        name="erasure",
        article="Art. 17",
        shown=(
            f"{ERASURE}test_of_somebody_who_never_bought_nothing_is_kept",
            f"{ERASURE}test_what_lies_in_a_bin_is_dated_and_not_called_erased",
            f"{ERASURE}test_nothing_of_anybody_else_is_touched",
            f"{OWED}test_a_bin_is_looked_into_after_its_date",
            f"{BACK}test_who_is_there_again_waits_for_the_dpo_who_is_told",
            f"{BACK}test_the_same_feed_is_said_once_a_day_and_another_one_beside_it",
            f"{REMEMBERED}test_who_was_erased_is_found_however_spelt_and_nobody_else",
        ),
    ),
    39: Clause(
        name="restriction",
        article="Art. 18",
        shown=(
            f"{RETENTION}test_that_what_is_kept_is_marked_nowhere_is_said_to_both_readers",
            f"{RETENTION}test_where_nothing_is_kept_nothing_is_said_of_its_use",
            f"{RESTRICTED}test_every_system_marks_what_it_holds_of_them",
            f"{RESTRICTED}test_they_are_told_before_it_is_lifted",
        ),
    ),
    40: Clause(
        name="portability",
        article="Art. 20",
        shown=(
            f"{TAKE_ALONG}test_it_is_structured_and_in_a_common_form",
            f"{TAKE_ALONG}test_only_what_rests_on_consent_or_a_contract",
            f"{TAKE_ALONG}test_it_stands_beside_the_copy_and_not_instead_of_it",
        ),
    ),
    41: Clause(
        name="objection",
        article="Art. 21",
        shown=(
            f"{OBJECTED}test_marketing_ends_in_every_system_that_has_anything_for_it",
            f"{OBJECTED}test_other_uses_stop_until_a_person_has_weighed_them",
            f"{OBJECTED}test_an_objection_that_is_upheld_ends_the_use",
            f"{OBJECTED}test_compelling_grounds_or_claims_let_it_go_on_and_they_read_why_before",
            f"{OBJECTED}test_a_use_that_rests_on_a_contract_cannot_be_objected_to",
        ),
    ),
    42: Clause(
        name="decisions by a machine alone",
        article="Art. 22",
        shown=(
            f"{ACCESS}test_that_no_machine_decides_alone_is_said",
            f"{INFORMATION}test_a_decision_by_a_machine_is_told_with_its_logic_and_meaning",
            f"{MACHINES}test_a_person_intervenes_who_sees_what_the_machine_saw",
            f"{MACHINES}test_they_read_the_result_and_the_reasons",
            f"{MACHINES}test_another_result_has_its_effect_before_it_is_answered",
        ),
    ),
    43: Clause(
        name="breaches",
        article="Art. 33, 34",
        shown=(
            f"{BREACHES}test_each_of_the_affected_is_told_once_in_plain_words",
            f"{BREACHES}test_the_authority_is_told_within_72_hours_of_awareness_and_nights_count",
            f"{BREACHES}test_after_72_hours_the_reasons_for_the_delay_are_demanded",
            f"{BREACHES}test_two_people_waive_and_then_nobody_is_told",
            f"{BREACHES}test_the_register_says_facts_effects_remedies_and_decisions_and_names_nobody",
        ),
    ),
    44: Clause(
        name="free of charge",
        article="Art. 12(5)",
        shown=(
            f"{DECIDE}test_two_people_refuse_and_the_person_reads_why_and_where_to_complain",
            f"{DECIDE}test_who_proposed_it_does_not_confirm_it_from_another_console_either",
            f"{DECIDE}test_a_refusal_that_nobody_proposed_or_gave_reasons_for_is_none",
            f"{DECIDE}test_a_fee_is_told_before_and_the_request_rests_until_it_is_paid",
            f"{DECIDE}test_whoever_is_told_of_a_fee_may_withdraw_and_nothing_was_done",
        ),
    ),
    45: Clause(
        name="who asks",
        article="Art. 12(6)",
        shown=(
            f"{IDENTITY}test_whom_nobody_vouches_for_is_asked_by_a_link_and_for_no_paper",
            f"{IDENTITY}test_who_is_vouched_for_is_asked_for_nothing_more",
            f"{IDENTITY}test_who_does_not_confirm_is_told_so_and_can_ask_again",
            f"{TIME}test_who_never_shows_who_they_are_is_refused_in_time_and_gets_no_answer",
            f"{DECIDE}test_who_could_not_be_confirmed_is_never_refused_for_good",
        ),
    ),
    46: Clause(
        name="within a month",
        article="Art. 12(3)",
        shown=(
            f"{REQUESTS}test_the_month_runs_from_the_arrival_at_any_channel",
            f"{TIME}test_answer_and_report_show_the_date_and_how_it_was_counted",
            f"{TIME}test_the_dpo_is_reminded_and_then_told_that_it_is_urgent",
            f"{TIME}test_an_extension_is_three_months_from_receipt_and_people_hear_every_month",
            f"{TIME}test_an_extension_without_a_reason_or_after_the_month_is_none",
            f"{TIME}test_the_time_goes_on_by_itself_once_a_person_shows_who_they_are",
            f"{TIME}test_a_question_that_is_asked_late_stops_nothing",
            f"{POLICY}test_a_month_is_a_calendar_month",
        ),
    ),
    47: Clause(
        name="a policy that changes",
        article="Art. 13(3)",
        shown=(
            f"{ACCESS}test_a_policy_is_pinned_when_the_request_comes_in",
            f"{CHANGES}test_an_open_case_goes_on_under_its_policy_and_a_new_one_under_the_new",
            f"{CHANGES}test_the_dpo_sees_why_and_what_a_changed_policy_would_decide",
            f"{CHANGES}test_a_contradiction_is_refused_with_its_row_and_what_to_do",
            f"{CHANGES}test_the_shipped_policy_has_no_fault_and_tells_the_dpo_its_gaps",
        ),
    ),
    48: Clause(
        name="changes that people tell",
        article="Art. 16",
        shown=(
            f"{CORRECTED}test_it_is_corrected_in_every_system_that_has_it",
            f"{CORRECTED}test_recipients_hear_what_is_right",
        ),
    ),
    49: Clause(name="other people's sites", article="out of scope", later="not ours to answer for"),
    50: Clause(
        name="written to at one address",
        article="Art. 12(2)",
        shown=(
            f"{TIME}test_a_request_is_acknowledged_at_once_with_reference_and_date",
            f"{TIME}test_an_address_that_nobody_vouches_for_gets_one_mail_which_asks",
        ),
        later=INTAKES,
    ),
    51: Clause(
        name="contacts for one purpose",
        article="Art. 5(1)(b)",
        shown=(
            f"{INFORMATION}test_who_asked_for_one_thing_is_told_that_it_is_for_that_alone",
            f"{PREFERENCES}test_who_wanted_one_thing_alone_gets_that_and_nothing_else",
            f"{PREFERENCES}test_who_got_the_one_thing_is_let_go_once_the_dpo_agrees",
            f"{PREFERENCES}test_who_never_got_it_is_let_go_as_well",
        ),
    ),
}
"""By the order of the policy."""

EDGES: tuple[Clause, ...] = (
    Clause(name="an agent asks", article="Art. 12(2)", later="agents and mandates"),
    Clause(name="for a child, or somebody dead", article="Recital 27", later="agents and mandates"),
    Clause(
        name="asked again",
        article="Art. 12(5)",
        shown=(
            f"{PERSON}test_what_is_asked_twice_is_answered_once_under_the_first_reference",
            f"{PERSON}test_what_was_answered_already_is_not_joined_but_asked_anew",
            f"{PERSON}test_how_often_somebody_asks_is_no_reason_to_refuse",
            f"{PERSON}test_who_does_not_show_who_they_are_learns_of_no_other_request",
        ),
    ),
    Clause(
        name="several rights at once",
        article="Art. 12(3)",
        shown=(f"{REQUESTS}test_a_copy_and_an_erasure_at_once_the_copy_is_made_first",),
    ),
    Clause(
        name="everything, and very much of it",
        article="Recital 63",
        shown=(
            f"{LARGE}test_20_000_holdings_travel_in_parts_and_only_their_ids_take_memory",
            f"{TIME}test_the_time_stands_still_while_the_person_is_asked_what_they_mean",
        ),
    ),
    Clause(
        name="one mailbox of several people",
        article="Art. 15(4)",
        shown=(
            f"{IDENTITY}test_a_mailbox_of_several_people_discloses_nobodys_to_the_other",
            f"{PERSON}test_somebody_else_at_the_same_mailbox_is_answered_for_themselves",
        ),
    ),
    Clause(
        name="one person of many addresses",
        article="Art. 11(2)",
        shown=(
            f"{IDENTITY}test_one_person_of_many_addresses_is_found_under_each_that_they_confirm",
            f"{IDENTITY}test_an_address_that_the_form_only_names_is_not_believed",
        ),
    ),
    Clause(
        name="shared tickets",
        article="Art. 15(4)",
        shown=(f"{ACCESS}test_colleagues_questions_to_support_are_not_in_the_copy",),
        later=REVIEW,
    ),
    Clause(name="names of agents", article="Art. 15(4)", later=REVIEW),
    Clause(name="redaction", article="Art. 15(4)", later=REVIEW),
    Clause(
        name="another address meanwhile",
        article="Art. 12(6)",
        shown=(
            f"{IDENTITY}test_a_strangers_address_in_a_record_of_mine_leads_to_nothing_of_theirs",
        ),
        later=PORTAL,
    ),
    Clause(
        name="a copy, then an erasure",
        article="Art. 15",
        shown=(
            f"{REQUESTS}test_a_copy_and_an_erasure_at_once_the_copy_is_made_first",
            f"{PERSON}test_an_erasure_waits_for_a_copy_that_is_under_way",
        ),
    ),
    Clause(
        name="an erasure, then a copy",
        article="Art. 15",
        shown=(
            f"{REQUESTS}test_after_an_erasure_a_copy_has_what_is_still_held",
            f"{PERSON}test_a_copy_that_is_asked_for_meanwhile_comes_before_the_erasure",
            f"{OWN}test_a_second_answer_tells_of_the_first_request_and_how_it_ended",
            f"{OWN}test_that_something_was_erased_is_told_and_is_all_that_is_known",
        ),
    ),
    Clause(
        name="data that change during the month",
        article="Art. 15",
        shown=(
            f"{REQUESTS}test_a_copy_has_what_was_there_when_the_search_was_made",
            f"{REQUESTS}test_whoever_became_a_customer_since_the_plan_keeps_what_customers_keep",
        ),
    ),
    Clause(
        name="a dispute",
        article="Art. 17(3)(e)",
        shown=(
            f"{ERASURE}test_a_card_stays_while_its_payment_is_disputed_and_all_else_goes",
            f"{RETENTION}test_while_a_payment_is_disputed_its_card_is_evidence_and_the_rest_goes",
        ),
    ),
    Clause(name="restricted for a claim", article="Art. 18(1)(c)", later=CLAIMS),
    Clause(
        name="withdrawn",
        article="Art. 12(2)",
        shown=(
            f"{REQUESTS}test_a_request_that_is_withdrawn_erases_nothing_more",
            f"{DECIDE}test_a_withdrawal_names_the_systems_that_had_acted_and_those_that_may",
            f"{DECIDE}test_a_right_that_is_taken_back_alone_is_told_with_what_goes_on",
            f"{DECIDE}test_an_erasure_that_is_taken_back_once_the_copy_is_there_says_what_was_done",
            f"{DECIDE}test_what_is_taken_back_together_is_told_in_one_letter",
            f"{DECIDE}test_what_is_answered_or_withdrawn_is_neither_withdrawn_nor_approved",
        ),
    ),
    Clause(
        name="objection or erasure",
        article="Art. 21(3)",
        shown=(
            f"{ERASURE}test_the_wish_to_get_no_marketing_outlives_everything_else",
            f"{OWN}test_an_objection_stays_so_that_no_marketing_begins_again",
            f"{PREFERENCES}test_who_was_erased_is_sent_no_marketing_until_they_consent_again",
        ),
    ),
    Clause(
        name="named at a company",
        article="Recital 14",
        shown=(f"{ACCESS}test_a_companys_contact_is_a_person",),
    ),
    Clause(
        name="not found",
        article="Art. 12(3)",
        shown=(f"{ACCESS}test_who_is_not_found_is_told_where_we_looked_and_with_what",),
    ),
    Clause(
        name="a vendor that is slow or away",
        article="Art. 12(3)",
        shown=(
            f"{ERASURE}test_a_vendor_that_is_away_is_unknown_and_never_nothing",
            f"{TIME}test_a_late_system_gets_an_interim_answer_on_time_and_the_rest_by_itself",
            f"{OPEN}test_what_is_open_waits_for_a_person_who_is_told_once_and_reminded",
            f"{OPEN}test_what_the_pipeline_cannot_see_is_said_to_be_done_by_hand_and_never_proved",
        ),
    ),
    Clause(
        name="said to be done, and still there",
        article="Art. 5(2)",
        shown=(
            f"{ERASURE}test_what_the_vendor_calls_erased_and_still_shows_is_never_called_erased",
            f"{OPEN}test_what_is_still_there_is_not_taken_for_done_whoever_says_so",
            f"{OPEN}test_what_was_done_by_hand_and_is_seen_to_be_gone_is_proved",
            f"{OPEN}test_what_the_pipeline_cannot_see_is_said_to_be_done_by_hand_and_never_proved",
            f"{OPEN}test_what_cannot_be_done_is_said_with_the_reason_and_waits_for_nobody",
            f"{OPEN}test_who_says_that_it_is_done_says_how",
            f"{OPEN}test_what_has_not_failed_cannot_be_settled_ahead",
            f"{DECIDE}test_a_decision_on_what_is_not_open_is_none",
        ),
    ),
    Clause(
        name="a backup restored",
        article="Art. 32",
        shown=(
            f"{SCREENED}test_of_a_table_exactly_those_who_were_erased_are_marked",
            f"{SCREENED}test_what_cannot_be_read_is_never_clean_and_is_told_by_its_line",
            f"{REMEMBERED}test_a_recovery_remembers_again_what_the_backup_did_not_know",
            f"{BROUGHT}test_what_a_backup_brought_back_is_erased_again_once_somebody_approved",
            f"{BROUGHT}test_only_the_named_system_is_searched_for_them_and_nothing_else_is_touched",
            f"{BROUGHT}test_where_nothing_was_brought_back_nobody_is_written_to",
        ),
    ),
    Clause(
        name="an answer that reached another",
        article="Art. 33",
        shown=(
            f"{BREACHES}test_what_went_to_a_stranger_opens_one_incident_and_only_one",
            f"{BREACHES}test_that_who_asked_was_somebody_else_opens_an_incident_of_all_that_was_shown",
        ),
    ),
    Clause(
        name="from outside the Union",
        article="Art. 3",
        shown=(f"{REQUESTS}test_where_somebody_lives_changes_nothing",),
    ),
    Clause(
        name="what requests leave",
        article="Art. 5(1)(e)",
        shown=(f"{REQUESTS}test_what_the_request_itself_left_is_out_of_reach_in_time",),
    ),
)
"""What does not go by the book."""
