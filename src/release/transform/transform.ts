/** One source file → its compiled form and everything that the manifest says of it, but where its requests lead. */

import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import { createHash } from 'node:crypto';
import { compileFunction } from 'node:vm';
import { MidflightError } from '../../errors.ts';
import type { ManifestModule, ModuleKind } from '../../protocol/manifest.ts';
import type { SourceMapText } from '../../protocol/source-map.ts';
import { analyseHazards } from '../analyse-hazards.ts';
import { analyseStates } from '../analyse-states.ts';
import { usesLocation } from '../uses-location.ts';
import { isModuleSource } from './ast.ts';
import { rewriteCjs } from './cjs.ts';
import { rewriteEsm } from './esm.ts';
import { commonJsNames, kindByName, type PackageType } from './module-kind.ts';
import type { Rewrite, SourceRequest } from './rewrite.ts';
import { needsStrip, strip, type Stripped } from './strip.ts';
import type { TypeScriptSettings } from './typescript-settings.ts';

/** Changes with the compiled form; a part of every cache key. */
export const TRANSFORM_VERSION = '8';

export interface TransformOptions {
  /** Relative to the release's root. */
  readonly path: string;
  readonly source: string;
  readonly packageType: PackageType;
  readonly settings: TypeScriptSettings;
}

export interface TransformedModule extends Omit<ManifestModule, 'requests' | 'isComputedTarget'> {
  readonly code: string;
  /** A source map of version 3, without the source: that is in the release's tree. Null for JSON. */
  readonly map: string | null;
  readonly requests: readonly SourceRequest[];
}

/** Transforms one file.
 *  Errors: ERR_MIDFLIGHT_SYNTAX with file, line and column. */
export function transformModule(options: TransformOptions): TransformedModule {
  const { path, packageType } = options;
  const source = options.source.replace(/^\uFEFF/, '');
  const named = kindByName(path, packageType);
  if (named === 'json') return transformJson(path, source);
  const stripped = strip({ ...options, source, sourceType: named === 'cjs' ? 'commonjs' : 'module' });
  const kind = named ?? (isModuleSource(path, stripped.code) ? 'esm' : 'cjs');
  const globals = commonJsNames({ path, source, packageType });
  const rewritten = rewriteAs(kind, path, { ...stripped, globals });
  checkCompiles(path, rewritten.code);
  const map = toMap(rewritten.rewrite, stripped.map);
  const { requests } = rewritten.rewrite;
  const hazards = analyseHazards(rewritten.rewrite);
  return withHash({
    ...rewritten.facts,
    path,
    kind,
    code: rewritten.code,
    map,
    requests: requests.all,
    hasComputedRequest: requests.hasComputed,
    hazards,
    states: analyseStates(rewritten.rewrite),
    usesLocation: usesLocation(rewritten.rewrite),
  });
}

type Unhashed = Omit<TransformedModule, 'hash' | 'mapHash'>;
type Facts = Pick<
  TransformedModule,
  'hasTopLevelAwait' | 'imports' | 'localExports' | 'ignoresThis' | 'indirectExports' | 'starExports' | 'hot'
>;

interface Rewritten {
  readonly rewrite: Rewrite;
  readonly code: string;
  readonly facts: Facts;
}

const noFacts: Facts = {
  hasTopLevelAwait: false,
  imports: [],
  localExports: [],
  ignoresThis: [],
  indirectExports: [],
  starExports: [],
  hot: null,
};

function rewriteAs(
  kind: ModuleKind,
  path: string,
  { code, preamble, globals }: Pick<Stripped, 'code' | 'preamble'> & { globals: ReadonlySet<string> },
): Rewritten {
  const options = { path, source: code, preamble };
  if (kind === 'cjs') {
    const { rewrite, localExports, starExports } = rewriteCjs(options);
    return { rewrite, code: rewrite.code.toString(), facts: { ...noFacts, localExports, starExports } };
  }
  const {
    rewrite,
    importOf: _,
    exportsOf: __,
    ...facts
  } = rewriteEsm({ ...options, commonJsNames: globals });
  return { rewrite, code: rewrite.code.toString(), facts };
}

function transformJson(path: string, source: string): TransformedModule {
  try {
    JSON.parse(source);
  } catch (error) {
    const [, line = '1', column = '1'] = /line (\d+) column (\d+)/.exec(String(error)) ?? [];
    throw new MidflightError('ERR_MIDFLIGHT_SYNTAX', [path, line, column, String(error)], { cause: error });
  }
  const facts = { ...noFacts, localExports: ['default'] };
  return withHash({
    ...facts,
    path,
    kind: 'json',
    code: source,
    map: null,
    requests: [],
    hasComputedRequest: false,
    hazards: [],
    usesLocation: false,
  });
}

function withHash(module: Unhashed): TransformedModule {
  const { kind, code, hasTopLevelAwait, imports, localExports, ignoresThis } = module;
  const { indirectExports, starExports, hazards, hot } = module;
  const text = JSON.stringify([
    TRANSFORM_VERSION,
    kind,
    code,
    hasTopLevelAwait,
    imports,
    localExports,
    ignoresThis,
    indirectExports,
    starExports,
    hazards,
    hot,
  ]);
  const hash = digest(text);
  return module.map === null ? { ...module, hash } : { ...module, hash, mapHash: digest(module.map) };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The engine has the last word on what is valid; better here than in a worker. */
function checkCompiles(path: string, code: string): void {
  try {
    compileFunction(code, [], { filename: path });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const line = /:(\d+)\n/.exec(error.stack ?? '')?.[1] ?? 1;
    throw new MidflightError('ERR_MIDFLIGHT_SYNTAX', [path, line, 1, error.message], { cause: error });
  }
}

function toMap({ code, path }: Rewrite, strippedMap: SourceMapInput | null): string {
  const own = code.generateMap({ hires: 'boundary', source: path }) as SourceMapInput;
  const { mappings } = remapping(strippedMap === null ? own : [own, strippedMap], () => null);
  const url = path.split('/').map(encodeURIComponent).join('/');
  const map: SourceMapText = { version: 3, sources: [url], names: [], mappings: mappings as string };
  return JSON.stringify(map);
}

/** True for a file that a transform can take. */
export function isTransformable(path: string): boolean {
  return (
    needsStrip(path) || /\.(?:js|mjs|cjs|json)$/.test(path) || !/\.[^/.]+$/.test(path.split('/').at(-1) ?? '')
  );
}
