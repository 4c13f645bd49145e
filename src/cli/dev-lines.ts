/** The lines of `midflight dev`. */

import path from 'node:path';
import { styleText } from 'node:util';
import type { DevNotice, TypeProblem } from '../dev/dev-notice.ts';
import type { DevProblem } from '../protocol/dev-messages.ts';
import { toWorkerError } from '../protocol/messages.ts';
import { toDurationText } from './output.ts';

type Style = Parameters<typeof styleText>[0];

/** As many names as fit into a line. */
const NAMES_SHOWN_MAX = 4;
const TYPE_ERRORS_SHOWN_MAX = 5;

/** What a person reads of it: one line, and for an error what is at fault below it. */
export function toLines(notice: DevNotice): string {
  switch (notice.type) {
    case 'serving': {
      const where = notice.addresses.join(', ') || '(no listener)';
      const modules = notice.modules === 0 ? '' : `, ${toCount(notice.modules, 'module')}`;
      return `${paint('green', 'serving')} ${where} in ${toDurationText(notice.durationMs)}; pid ${notice.pid}${modules}`;
    }
    case 'swapped': {
      const { changed, evaluated, durationMs } = notice;
      const names = evaluated.length === 0 ? 'nothing' : toCount(evaluated.length, 'module');
      const which =
        evaluated.length > 0 && evaluated.length <= NAMES_SHOWN_MAX ? ` (${evaluated.join(', ')})` : '';
      return `${paint('green', 'swapped')} ${toNames(changed)}: ${names} evaluated${which} in ${toMs(durationMs)}`;
    }
    case 'failed':
      return `${paint('red', 'not swapped')}, the code before goes on: ${toProblemText(notice)}`;
    case 'mended':
      return `${paint('green', 'mended')}: the files are what runs again`;
    case 'undone':
      return `${paint('green', 'undone')}: the code before the last swap runs until the next save`;
    case 'handoff':
      return `handing off to a new process: ${notice.reasons.join('; ')}`;
    case 'handed-off':
      return `${paint('green', 'handed off')} in ${toDurationText(notice.durationMs)}; pid ${notice.pid}`;
    case 'handoff-failed':
      return `${paint('red', 'not handed off')}, the process before goes on: ${toProblemText(notice)}`;
    case 'start-failed':
      return `${paint('red', 'not started')}, the next save tries again: ${toProblemText(notice)}`;
    case 'ended':
      return `${paint('red', 'the app has ended')} (${notice.how}); the next save starts it again`;
    case 'building':
      return `building: ${toNames(notice.changed)}`;
    case 'types': {
      const shown = notice.errors.slice(0, TYPE_ERRORS_SHOWN_MAX).map(toTypeText);
      const rest = notice.errors.length - shown.length;
      const more = rest > 0 ? [`and ${rest} more`] : [];
      const count = paint('yellow', toCount(notice.errors.length, 'type error'));
      return [`${count}; the code runs all the same`, ...shown, ...more].join('\n');
    }
    case 'types-right':
      return `${paint('green', 'types are right')} again`;
    case 'log':
      return notice.message;
  }
}

function toProblemText({ error, importChain }: DevProblem): string {
  const { message } = toWorkerError(error);
  return `${message.trimEnd()}${toChainText(importChain)}`;
}

function toChainText(chain: readonly string[]): string {
  return chain.length > 1 ? `\nimported by ${chain.slice(0, -1).toReversed().join(' ← ')}` : '';
}

function toTypeText({ path: at, line, column, message, frame, importChain }: TypeProblem): string {
  return `${path.normalize(at)}:${line}:${column}: ${message}${frame === '' ? '' : `\n${frame}`}${toChainText(importChain)}`;
}

function toNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ');
  const rest = names.length - NAMES_SHOWN_MAX;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

function toCount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Swaps are that quick that a tenth tells something. */
function toMs(ms: number): string {
  return ms < 100 ? `${ms.toFixed(1)} ms` : toDurationText(ms);
}

function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stderr });
}
