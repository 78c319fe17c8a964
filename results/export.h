// Result files for other tools: one record a case, the median over its launches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/result_file.h"

namespace ipcmark {

enum class ExportFormat : std::uint8_t {
  bencher,  // Bencher Metric Format (bencher.dev/docs/reference/bencher-metric-format)
  github,   // github-action-benchmark's customSmallerIsBetter: a time a case
  csv,      // a long table: one row for each figure of each launch (RFC 4180)
  hgrm,     // HdrHistogram's percentile text, the launches of a case pooled; a block a case
};
std::optional<ExportFormat> parse_export_format(std::string_view text);
inline constexpr std::string_view export_formats_allowed = "bencher, github, csv, hgrm";

struct Exported {
  std::string text;
  std::vector<std::string> left_out;  // cases, with the reason: those tools know no verdicts
};

// Cases whose result is invalid are left out, of hgrm those without a distribution of single events, and as a
// time of bencher and github those whose messages come by a schedule and are too few for a p50. The csv keeps
// all launches, with their verdicts. Throws std::invalid_argument on a histogram that does not decode.
Exported export_results(const ResultFile& results, ExportFormat format);

}  // namespace ipcmark
