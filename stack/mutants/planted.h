// SPDX-License-Identifier: Apache-2.0
// A fault planted in the TCP of one host, to see who notices. Only a build with TCPROCTOR_MUTANTS
// (preset `mutants`) has faults to plant: there the sources of stack/packet and stack/tcp are
// copies with every mutant of conformance/catalog/mutants.csv behind a switch (switch.h). In every
// other build names() is empty and nothing here is ever asked.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tcproctor::mutants {

// The ids of the mutants of this build; that at index i has the number i + 1.
std::span<const std::string_view> names();
// 0: this build has none of that id.
uint32_t number_of(std::string_view id);

class Planted {
 public:
  // 0: no fault, but what is passed is noted all the same.
  explicit Planted(uint32_t number = 0) : number_(number), passed_(names().size() + 1) {}

  // Whether this is the planted one. Notes that its place was passed.
  bool is(uint32_t number) {
    passed_[number] = 1;
    return number == number_;
  }
  // The mutants whose places were passed, by id.
  std::vector<std::string_view> passed() const;

 private:
  uint32_t number_;
  std::vector<uint8_t> passed_;  // by number
};

// As long as it lives, hosts that are made on this thread have the fault; `planted` must outlive
// them.
class Planting {
 public:
  explicit Planting(Planted& planted);
  ~Planting();
  Planting(const Planting&) = delete;
  Planting& operator=(const Planting&) = delete;

 private:
  Planted* const before_;
};

}  // namespace tcproctor::mutants
