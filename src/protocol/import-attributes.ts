/** Is a module imported as what it is? ECMA-262 16.2.1.7 HostLoadImportedModule; Node.js, ES modules, "Import attributes". */

import { MidflightError } from '../errors.ts';
import type { ManifestModule, ModuleRequest } from './manifest.ts';

/** The error of a static import whose `with { type }` and target do not agree; null when they do. */
export function checkAttribute(
  importer: ManifestModule,
  { specifier, phase, type }: ModuleRequest,
  target: ManifestModule,
): MidflightError | null {
  if (phase !== 'static') return null;
  const problem = findProblem(importer.path, type, target);
  return problem === null
    ? null
    : new MidflightError('ERR_MIDFLIGHT_IMPORT_ATTRIBUTE_INVALID', [importer.path, specifier, problem]);
}

function findProblem(importer: string, type: 'json' | undefined, { kind }: ManifestModule): string | null {
  if (kind === 'json')
    return type === 'json' || mayOmitType(importer) ? null : `is JSON; add with { type: "json" }`;
  return type === undefined ? null : `is not JSON; take with { type: "json" } away`;
}

/** TypeScript's compilers take JSON without an attribute, and most that is written in it leaves it out. */
export function mayOmitType(importer: string): boolean {
  return /\.[cm]?tsx?$/.test(importer);
}
