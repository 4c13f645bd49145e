/** TypeScript and JSX → JavaScript on the same lines. */

import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import { transformSync, type TransformOptions } from 'oxc-transform';
import { MidflightError } from '../../errors.ts';
import { decoratorHelpers } from './decorator-helpers.ts';
import { relayout } from './relayout.ts';
import { toSyntaxError } from './syntax-error.ts';
import type { TypeScriptSettings } from './typescript-settings.ts';

export interface StripOptions {
  readonly path: string;
  readonly source: string;
  readonly sourceType: 'module' | 'commonjs';
  readonly settings: TypeScriptSettings;
}

export interface Stripped {
  readonly code: string;
  /** Null where the source was plain JavaScript and is as it was. */
  readonly map: SourceMapInput | null;
  /** Code that has to run before the module's own; one line, mostly empty. */
  readonly preamble: string;
}

const strippedExtensions = /\.(?:ts|mts|cts|tsx|jsx)$/;

/** True for a file that is not JavaScript yet. */
export function needsStrip(path: string): boolean {
  return strippedExtensions.test(path);
}

/** Removes types and JSX; a file that has neither by its name is returned as it is.
 *  Errors: ERR_MIDFLIGHT_SYNTAX. */
export function strip(options: StripOptions): Stripped {
  const { path, source, sourceType } = options;
  if (!needsStrip(path)) return { code: source, map: null, preamble: '' };
  const result = transformSync(path, source, transformOptions(options));
  const [problem] = result.errors.filter(({ severity }) => severity === 'Error');
  if (problem !== undefined) throw toSyntaxError(path, source, problem);
  const printedMap = result.map as SourceMapInput;
  const laidOut = relayout({ path, code: result.code, map: printedMap, sourceType });
  const layoutMap = laidOut.generateMap({ hires: 'boundary', source: path }) as SourceMapInput;
  const map = remapping([layoutMap, printedMap], () => null);
  return {
    code: laidOut.toString(),
    map: map as SourceMapInput,
    preamble: preambleFor(path, result.helpersUsed),
  };
}

function transformOptions({ source, sourceType, settings }: StripOptions): TransformOptions {
  const options: TransformOptions = {
    sourceType,
    sourcemap: true,
    helpers: { mode: 'External' as never },
    typescript: { onlyRemoveTypeImports: settings.keepsUnusedImports },
    decorator: {
      legacy: settings.hasLegacyDecorators,
      emitDecoratorMetadata: settings.emitsDecoratorMetadata,
    },
    jsx: settings.jsx,
  };
  if (settings.definesClassFields) return options;
  options.assumptions = { setPublicClassFields: true };
  options.typescript = { ...options.typescript, removeClassFieldsWithoutInitializer: true };
  // Assigned fields need classes lowered; private names are left alone where the file has some, as they would need helpers.
  if (!/#[\p{ID_Start}_$]/u.test(source)) options.target = 'es2021';
  return options;
}

function preambleFor(path: string, used: Record<string, string>): string {
  const names = Object.keys(used);
  if (names.length === 0) return '';
  const missing = names.find((name) => !(name in decoratorHelpers));
  if (missing === undefined) {
    const bodies = names.map((name) => `${name}:${decoratorHelpers[name as keyof typeof decoratorHelpers]}`);
    return `const babelHelpers={${bodies.join(',')}};`;
  }
  throw new MidflightError('ERR_MIDFLIGHT_SYNTAX', [
    path,
    1,
    1,
    `the syntax that needs "${missing}" is not supported`,
  ]);
}
