/**
 * What a person sees of a deploy: one line a step, with its time, as it ends; at a terminal the step that is under way below them.
 * Without one no line is written twice, so that it can be read from a file.
 */

import { styleText } from 'node:util';
import type { DeployReport, Progress } from '../deploy/deploy-request.ts';
import { toDurationText } from './output.ts';
import { toVisible } from './visible-text.ts';

export interface Screen {
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

export interface DeployDisplay {
  progress(progress: Progress): void;
  /** Draws the last line again, for the time that goes by. */
  tick(): void;
  /** Stands in the last line instead of the step, until null. */
  ask(question: string | null): void;
  /** Says something between the steps. */
  say(text: string): void;
  report(report: DeployReport): void;
  /** Leaves the last line as it is. */
  close(): void;
}

/** They are told when they are done, or are nothing that takes time. */
const kMoments = new Set([
  'wait',
  'verify',
  'plan',
  'commit',
  'passed',
  'superseded',
  'withdrawn',
  'rejected',
]);
/** They are told while another step goes on. */
const kAsides = new Set(['state', 'hook', 'warning', 'prune', 'flush']);
/** They take as long as somebody has said. */
const kWaits = new Set(['probation']);
/** Somebody wanted it so. */
const kWishes = new Set(['ERR_MIDFLIGHT_DEPLOY_ABORTED', 'ERR_MIDFLIGHT_DEPLOY_WITHDRAWN']);
/** The end of what failed says why; all of it is in the record. */
const EVIDENCE_LINES_MAX = 60;
const PRINTED_LINES_MAX = 10;
const kSpinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const kClearLine = '\r\u001B[2K';

interface Step {
  readonly progress: Progress;
  readonly shownAtMs: number;
}

/** Makes it; `now` are milliseconds of a clock that never goes back. */
export function createDeployDisplay(screen: Screen, now: () => number): DeployDisplay {
  const durations = new Map<string, number>();
  let current: Step | null = null;
  let question: string | null = null;
  let isDrawn = false;
  let lastAtMs = 0;
  let failedStep: string | null = null;
  let run: number | null = null;

  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    screen.isTerminal ? styleText(style, text, { validateStream: false }) : text;

  function line(text: string): void {
    screen.write(`${isDrawn ? kClearLine : ''}${toVisible(text.trimEnd())}\n`);
    isDrawn = false;
  }

  function draw(): void {
    if (!screen.isTerminal) return;
    const text = question ?? (current === null ? '' : toLiveText(current));
    if (text === '' && !isDrawn) return;
    screen.write(kClearLine + toVisible(text).slice(0, Math.max(0, screen.columns - 1)));
    isDrawn = text !== '';
  }

  function toLiveText({ progress, shownAtMs }: Step): string {
    const sinceMs = now() - shownAtMs;
    const frame = kSpinner[Math.floor(sinceMs / 100) % kSpinner.length] ?? '';
    return `${frame} ${toStepText(progress, sinceMs)}`;
  }

  function end(atMs: number, mark: string): void {
    if (current === null) return;
    const { step } = current.progress;
    const durationMs = Math.max(0, atMs - current.progress.atMs);
    durations.set(step, (durations.get(step) ?? 0) + durationMs);
    line(`${mark} ${toStepText(current.progress, durationMs)}`);
    current = null;
  }

  /** The step is still at work; where nobody sees it being redrawn, what it has come to is a line of its own. */
  function goOn(step: Step, progress: Progress): void {
    if (!screen.isTerminal) line(`  ${toStepText(progress, null)}`);
    const message = screen.isTerminal ? progress.message : step.progress.message;
    current = { ...step, progress: { ...step.progress, message } };
  }

  return {
    progress(progress) {
      const { step, atMs } = progress;
      lastAtMs = Math.max(lastAtMs, atMs);
      run = progress.run ?? run;
      if (kAsides.has(step)) {
        line(`  ${toStepText(progress, null)}`);
        return draw();
      }
      const isBad = step === 'rejected' || step === 'rollback';
      if (current?.progress.step === step && !isBad) {
        goOn(current, progress);
        return draw();
      }
      if (isBad) failedStep ??= current?.progress.step ?? null;
      end(atMs, isBad ? paint('red', '✗') : paint('green', '✓'));
      // Why, the report says.
      const shown = step === 'rollback' ? { ...progress, message: '' } : progress;
      if (!kMoments.has(step)) current = { progress: shown, shownAtMs: now() };
      else if (step !== 'rejected') line(`  ${toStepText(progress, null)}`);
      draw();
    },
    tick: draw,
    ask(next) {
      question = next;
      draw();
    },
    say: (text) => {
      line(text);
      draw();
    },
    report(report) {
      const isGood = report.result === 'committed' || report.result === 'unchanged';
      end(Math.max(lastAtMs, totalOf(current, now)), paint('green', '✓'));
      question = null;
      draw();
      const [head = '', ...rest] = toReportLines(report, { failedStep, run });
      line(paint(isGood ? 'green' : 'red', head));
      for (const each of rest) line(each);
      const slowest = toSlowestText(durations);
      if (slowest !== '') line(paint('yellow', slowest));
      const times = toTimesText(report);
      if (times !== '') line(paint('dim', times));
    },
    close() {
      current = null;
      question = null;
      draw();
    },
  };
}

function totalOf(current: Step | null, now: () => number): number {
  return current === null ? 0 : current.progress.atMs + now() - current.shownAtMs;
}

function toStepText({ step, message }: Progress, durationMs: number | null): string {
  const [first = ''] = message.split('\n');
  const time = durationMs === null ? '' : toDurationText(durationMs);
  return `${step.padEnd(10)} ${time.padStart(8)}  ${first}`;
}

interface Seen {
  readonly failedStep: string | null;
  /** Its number in the history. */
  readonly run: number | null;
}

/** The reason first, then what shows it, then what to do. */
function toReportLines(report: DeployReport, { failedStep, run }: Seen): string[] {
  const { result, release, previous, path, generation, error, output = '' } = report;
  if (error === null) {
    const how = result === 'committed' ? `by ${path}, generation ${generation}` : '';
    const onward = result === 'unchanged' ? [`${previous ?? 'nothing'} serves on`] : [];
    return [`${result} ${release ?? ''} ${how}`.trimEnd(), ...(result === 'rejected' ? [] : onward)];
  }
  const [reason = '', ...evidence] = error.message.trimEnd().split('\n');
  const left = evidence.length - EVIDENCE_LINES_MAX;
  const shown = evidence.slice(-EVIDENCE_LINES_MAX).map((text) => `  | ${text}`);
  const printed = output === '' ? [] : output.trimEnd().split('\n').slice(-PRINTED_LINES_MAX);
  return [
    [result, release, failedStep && `in ${failedStep}`].filter(Boolean).join(' '),
    `${error.code}: ${reason}`,
    ...(left > 0 ? [`  | … ${left} lines before these are in ${toRecordText(run)}`] : []),
    ...shown,
    ...(printed.length > 0 ? ['it had printed last:'] : []),
    ...printed.map((text) => `  | ${text}`),
    ...toAdvice(report, toRecordText(run)),
  ];
}

function toRecordText(run: number | null): string {
  return `"midflight history${run === null ? '' : ` ${run}`}"`;
}

function toAdvice({ result, previous, error }: DeployReport, record: string): string[] {
  const onward = `${previous ?? 'nothing'} serves on`;
  if (kWishes.has(error?.code ?? '')) return [onward];
  if (result === 'interrupted') return ['"midflight status" says what serves'];
  if (result === 'rolled-back')
    return [`${onward}; ${record} has the evidence, .midflight/logs/app.log what the workers printed`];
  return [`${onward}: nothing has changed; correct that, and try again`];
}

/** Which step to look at where a deploy took long. */
function toSlowestText(durations: ReadonlyMap<string, number>): string {
  const steps = [...durations].filter(([step]) => !kWaits.has(step));
  const totalMs = steps.reduce((sum, [, durationMs]) => sum + durationMs, 0);
  const [slowest] = steps.toSorted(([, a], [, b]) => b - a);
  if (slowest === undefined || steps.length < 2) return '';
  return `slowest: ${slowest[0]}, ${toDurationText(slowest[1])} of ${toDurationText(totalMs)}`;
}

function toTimesText({ timings }: DeployReport): string {
  const times = Object.entries(timings).map(([name, value]) =>
    name === 'stateBytes' ? `${value} bytes of state` : `${name.replace(/Ms$/, '')} ${toDurationText(value)}`,
  );
  return times.join(', ');
}
