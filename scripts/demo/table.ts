import type { StepOutcome } from './step.ts';

const columns: readonly (readonly [string, (outcome: StepOutcome) => string])[] = [
  ['deploy', ({ name }) => name],
  ['path', ({ path }) => path],
  ['result', ({ result }) => result],
  ['time', ({ ms }) => `${(ms / 1_000).toFixed(1)} s`],
  ['requests served', ({ served }) => String(served)],
  ['failed', ({ failed }) => String(failed)],
  ['WebSockets lost', ({ webSocketsLost }) => String(webSocketsLost)],
];

/** One aligned line a step. */
export function toTable(outcomes: readonly StepOutcome[]): string {
  const rows = [
    columns.map(([title]) => title),
    ...outcomes.map((outcome) => columns.map(([, cell]) => cell(outcome))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
