// Sync dialogues as text files: titled sections of lines, each line something that is done or expected.
//
//   # a comment
//   rota: carer c1            lines before the first title are played before every section
//   ## A title
//   d1 of c1 starts STANDARD
//   d1 gets: started, rebuild NEW_COPY, changes +c1, caught_up 1
//
// README.md beside this file lists the lines.
#ifndef CARESYNC_TESTS_SPEC_DIALOGUE_H_
#define CARESYNC_TESTS_SPEC_DIALOGUE_H_

#include <string>
#include <vector>

namespace caresync::spec {

struct Line {
  int number = 0;
  std::string text;
};

struct Section {
  std::string title;
  // The file's common lines first.
  std::vector<Line> lines;
};

struct Dialogue {
  // As given.
  std::string path;
  std::vector<Section> sections;
};

// The test dies where the file cannot be read, or has no section.
Dialogue ReadDialogue(const std::string& path);

}  // namespace caresync::spec

#endif  // CARESYNC_TESTS_SPEC_DIALOGUE_H_
