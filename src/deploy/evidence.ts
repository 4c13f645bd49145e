/** What is kept of a deploy that failed, or that was compared or had hooks: one JSON text in the record, bounded in size. */

import { MidflightError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { toErrorReport, type ErrorReport } from '../protocol/messages.ts';
import type { ServiceSample } from '../protocol/service-sample.ts';
import type { Comparison } from './compare-samples.ts';
import type { DeployRecord } from './history.ts';
import type { HookReport } from './hooks.ts';

/** With more, a thousand failed deploys would be most of the disk that the record takes. */
export const EVIDENCE_LENGTH_MAX = 65_536;
const LISTED_MAX = 50;
const TEXT_LENGTH_MAX = 16_384;

/** What was seen of a release in probation. */
export interface ProbationFigures extends Comparison {
  readonly before: ServiceSample;
  readonly after: ServiceSample;
}

export interface Evidence {
  readonly version: 1;
  /** What failed. */
  readonly error: Pick<ErrorReport, 'code' | 'message' | 'stack'> | null;
  /** The health check that failed, and what was answered. */
  readonly health: { readonly check: string; readonly seen: string } | null;
  /** How a worker ended that should not have. */
  readonly exit: string | null;
  /** What the workers that it was about had printed last. */
  readonly output: string;
  /** As far as it is short. */
  readonly plan: Pick<Plan, 'path' | 'reasons' | 'modules' | 'hazards'> | null;
  readonly probation: ProbationFigures | null;
  readonly hooks: readonly HookReport[];
}

export interface EvidenceParts {
  readonly error: unknown;
  readonly output: string;
  readonly plan: Plan | null;
  readonly probation: ProbationFigures | null;
  readonly hooks: readonly HookReport[];
}

/** The text for the record; null where there is nothing to tell. */
export function toEvidenceText(parts: EvidenceParts): string | null {
  const { error, probation, hooks } = parts;
  if (error === null && probation === null && hooks.length === 0) return null;
  const evidence = toEvidence(parts);
  const smaller: readonly Partial<Evidence>[] = [
    {},
    { plan: null },
    { output: evidence.output.slice(-LISTED_MAX * 100) },
    { output: '', hooks: hooks.map((hook) => ({ ...hook, output: '' })) },
  ];
  let left = evidence;
  for (const change of smaller) {
    left = { ...left, ...change };
    const text = JSON.stringify(left);
    if (text.length <= EVIDENCE_LENGTH_MAX) return text;
  }
  return JSON.stringify({ ...left, probation: null, hooks: [] });
}

function toEvidence({ error, output, plan, probation, hooks }: EvidenceParts): Evidence {
  const { code, message, stack } = toErrorReport(error);
  const [health] = detailsOf(error, 'ERR_MIDFLIGHT_HEALTH_FAILED');
  const [exit] = detailsOf(error, 'ERR_MIDFLIGHT_WORKER_EXITED');
  return {
    version: 1,
    error: error === null ? null : { code, message: cut(message), stack: cut(stack) },
    health: health === undefined ? null : { check: health[0] ?? '', seen: cut(health[1] ?? '') },
    exit: exit?.[0] ?? null,
    output: (exit?.[1] ?? output).slice(-TEXT_LENGTH_MAX),
    plan: plan && {
      path: plan.path,
      reasons: plan.reasons.slice(0, LISTED_MAX),
      modules: plan.modules.slice(0, LISTED_MAX),
      hazards: plan.hazards.slice(0, LISTED_MAX),
    },
    probation,
    hooks,
  };
}

function cut(text: string): string {
  return text.slice(0, TEXT_LENGTH_MAX);
}

/** What the errors of this code, along the causes, were made of. */
function detailsOf(error: unknown, wanted: string): (readonly string[])[] {
  const found: (readonly string[])[] = [];
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof MidflightError && inner.code === wanted) found.push(inner.details);
  }
  return found;
}

/** Reads it back; null where the record has a sentence instead, as of a deploy that was interrupted. */
export function parseEvidence(text: string | null): Evidence | null {
  if (text === null || !text.startsWith('{"version":')) return null;
  return JSON.parse(text) as Evidence;
}

/** A record as a list shows it: of its evidence what failed. */
export function toSummarized(record: DeployRecord): DeployRecord {
  return { ...record, evidence: toEvidenceSummary(record.evidence) };
}

/** What failed, in short: the error with its stack, or the sentence; null where nothing did. */
export function toEvidenceSummary(text: string | null): string | null {
  const evidence = parseEvidence(text);
  return evidence === null ? text : (evidence.error?.stack ?? null);
}
