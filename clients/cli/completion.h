// SPDX-License-Identifier: Apache-2.0
// What may come next on a command line: the verbs, their flags and operands are asked, so that
// nothing about them is said twice. The shells' own parts (completion_scripts.h) only show it.
#pragma once

#include <string>
#include <vector>

#include "clients/cli/context.h"

namespace tcproctor::cli {

struct Completion {
  struct Word {
    std::string text;     // the whole word, beginning with what was typed
    std::string meaning;  // for people; may be empty
  };
  enum class Files { kNone, kFiles, kFolders };

  std::vector<Word> words;
  // Whether names of files or folders may stand there as well; the shell knows them.
  Files files = Files::kNone;
};

// `words`: the command line without the program's name, the last as far as it was typed. Sessions
// and connections are those of the daemon that the line names, or of the local one; none where no
// daemon answers at once.
Completion complete(Context& context, std::vector<std::string> words);

}  // namespace tcproctor::cli
