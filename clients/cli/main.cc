// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "clients/cli/verb.h"

int main(int argc, char** argv) {
  // A reader that goes away (`| head`) shows as a failed write, not as a silent death that would
  // leave a private daemon's folder behind.
  std::signal(SIGPIPE, SIG_IGN);
  const bool colours = tcproctor::cli::shows_colours(isatty(STDOUT_FILENO) == 1,
                                                     std::getenv("TERM"), std::getenv("NO_COLOR"));
  tcproctor::cli::Context context(std::cin, std::cout, std::cerr, colours);
  return tcproctor::cli::run_command(context, std::vector<std::string>(argv + 1, argv + argc));
}
