#!/usr/bin/env python3
"""That tools/checks/contract.py finds what breaks the contract's conventions.

usage: contract_test.py ROOT
"""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "tools/checks"))
import contract  # noqa: E402

GOOD = """syntax = "proto3";
package caresync.v1;

// Reads visits.
service VisitService {
  // A page of visits.
  rpc ListVisits(ListVisitsRequest) returns (ListVisitsResponse);
}

// What a visit is.
enum VisitKind {
  // Any.
  VISIT_KIND_UNSPECIFIED = 0;
  // At home.
  VISIT_KIND_HOME = 1;
}

// Which visits.
message ListVisitsRequest {
  reserved 4;
  // At most 1,000.
  int32 page_size = 1;
  // From the last response.
  string page_token = 2;
  oneof what {
    // Only this kind.
    VisitKind kind = 3;
  }
}

// A page.
message ListVisitsResponse {
  // By start.
  repeated string visits = 1;
  // Empty: no more.
  string next_page_token = 2;
}
"""


def breaking(old, new):
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def faults(text, known=None):
    """Of a contract that is `text` now, and whose numbers so far are those of `GOOD` unless others are given."""
    known = contract.with_new([GOOD], {}) if known is None else known
    return [*contract.faults(text), *contract.faults_of_numbers([text], known)]


class ContractTest(unittest.TestCase):
    def test_nothing_is_wrong_with_a_good_one(self):
        self.assertEqual(faults(GOOD), [])

    def test_every_element_needs_a_comment(self):
        for comment in [line for line in GOOD.splitlines() if "//" in line]:
            self.assertEqual(len(faults(breaking(comment + "\n", ""))), 1, comment)

    def test_the_package_zeros_instants_and_pages_are_looked_at(self):
        self.assertTrue(faults(breaking("package caresync.v1;", "package other.v1;")))
        self.assertTrue(faults(breaking("int32 page_size", "uint32 page_size")))
        of_an_enum = breaking("VISIT_KIND_UNSPECIFIED", "VISIT_KIND_ANY")
        self.assertIn("the zero of VisitKind is not ..._UNSPECIFIED", faults(of_an_enum))
        instant = breaking("repeated string visits = 1;", "google.protobuf.Timestamp until = 1;")
        self.assertIn("until is an instant and not named ..._time", faults(instant))

    def test_a_number_is_not_used_again(self):
        renamed = breaking("repeated string visits = 1;", "repeated string carers = 1;")
        self.assertEqual(len(faults(renamed)), 1)
        other_type = breaking("repeated string visits = 1;", "repeated bytes visits = 1;")
        self.assertEqual(len(faults(other_type)), 1)
        other_value = breaking("VISIT_KIND_HOME = 1;", "VISIT_KIND_CLINIC = 1;")
        self.assertEqual(len(faults(other_value)), 1)
        unreserved = breaking("  reserved 4;\n", "  // Again.\n  string search = 4;\n")
        self.assertEqual(len(faults(unreserved)), 1)

    def test_a_number_that_is_used_no_more_is_reserved(self):
        gone = breaking("  // By start.\n  repeated string visits = 1;\n", "")
        self.assertEqual(len(faults(gone)), 1)
        reserved = breaking("  // By start.\n  repeated string visits = 1;\n", "  reserved 1;\n")
        self.assertEqual(faults(reserved), [])

    def test_a_new_number_is_to_be_listed(self):
        more = breaking("  // By start.\n", "  // How many.\n  uint32 count = 3;\n  // By start.\n")
        self.assertEqual(len(faults(more)), 1)
        self.assertEqual(faults(more, contract.with_new([more], contract.with_new([GOOD], {}))), [])

    def test_adding_to_the_list_changes_nothing_in_it(self):
        known = contract.with_new([GOOD], {})
        renamed = breaking("repeated string visits = 1;", "repeated string carers = 1;")
        self.assertEqual(contract.with_new([renamed], known), known)
        self.assertEqual(contract.with_new([breaking("  reserved 4;\n", "")], known), known)

    def test_the_list_reads_back(self):
        known = contract.with_new([GOOD], {})
        self.assertEqual(contract.listed(contract.list_of(known)), known)

    def test_a_line_that_cannot_be_read_is_not_passed_over(self):
        with self.assertRaises(ValueError):
            faults(breaking("  string page_token = 2;", "  string page_token\n    = 2;"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
