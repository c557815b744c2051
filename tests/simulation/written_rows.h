// Rows of a commit, parsed.
#ifndef CARESYNC_TESTS_SIMULATION_WRITTEN_ROWS_H_
#define CARESYNC_TESTS_SIMULATION_WRITTEN_ROWS_H_

#include <map>
#include <optional>
#include <string>

namespace caresync::simulation {

// nullopt where the commit does not write the row, or it cannot be read.
template <typename Row>
std::optional<Row> WrittenIn(const std::map<std::string, std::optional<std::string>>& rows, const std::string& key) {
  const auto written = rows.find(key);
  Row row;
  if (written == rows.end() || !written->second.has_value() || !row.ParseFromString(*written->second)) {
    return std::nullopt;
  }
  return row;
}

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_WRITTEN_ROWS_H_
