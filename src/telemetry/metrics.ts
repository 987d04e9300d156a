/** Everything that is counted: name, type, meaning. The README prints this table. */
export const METRICS = {
  platefs_planes: { type: 'gauge', help: 'Planes of the plate.' },
  platefs_warnings: { type: 'gauge', help: 'Entries of warnings.json.' },
  platefs_memory_budget_bytes: {
    type: 'gauge',
    help: 'Memory that written files and decoded pixels may take together.',
  },
  platefs_memory_closed_files_bytes: {
    type: 'gauge',
    help: 'Memory of written files that are closed and have not landed.',
  },
  platefs_memory_open_files_bytes: { type: 'gauge', help: 'Memory of written files that are open.' },
  platefs_memory_decoded_bytes: { type: 'gauge', help: 'Memory of pixels that are kept decoded.' },
  platefs_memory_decoded_bound_bytes: { type: 'gauge', help: 'Memory that decoded pixels may take now.' },
  platefs_memory_pinned_bytes: { type: 'gauge', help: 'Memory of files that were pinned.' },
  platefs_memory_hot_bytes: { type: 'gauge', help: 'Memory held by files that were read whole, in bytes.' },
  platefs_hot_files: { type: 'gauge', help: 'Files that were read whole and are kept in memory.' },
  platefs_served_bytes_total: {
    type: 'counter',
    help: 'Bytes of files put together when they are read that programs asked for.',
  },
  platefs_decoded_bytes_total: {
    type: 'counter',
    help: 'Bytes of pixels decoded for that: beyond what was served, work done in vain or twice.',
  },
  platefs_memory_tight: { type: 'gauge', help: '1 while the system is short of memory.' },
  platefs_waiting_files: { type: 'gauge', help: 'Files that are closed and have not landed.' },
  platefs_landed_files_total: { type: 'counter', help: 'Files moved to the output folder.' },
  platefs_landed_bytes_total: { type: 'counter', help: 'Bytes of the files moved to the output folder.' },
  platefs_hooks_running: { type: 'gauge', help: 'Hook jobs that run.' },
  platefs_hooks_waiting: { type: 'gauge', help: 'Hook jobs that wait.' },
  platefs_hooks_failed: { type: 'gauge', help: 'Hook jobs that failed.' },
  platefs_failures_total: { type: 'counter', help: 'Reads and other requests that failed, as in the log.' },
  platefs_resumes_total: { type: 'counter', help: 'Times a new daemon took over from one that died.' },
  platefs_rss_bytes: { type: 'gauge', help: 'Resident memory of the daemon.' },
} as const;

export type MetricName = keyof typeof METRICS;

/** The Prometheus text format, version 0.0.4. */
export function renderMetrics(values: Readonly<Record<MetricName, number>>): string {
  const lines: string[] = [];
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${values[name as MetricName]}`);
  }
  return `${lines.join('\n')}\n`;
}
