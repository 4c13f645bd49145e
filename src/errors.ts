/**
 * One error class and the catalog of its codes. A code is never renamed and never reused; messages may change.
 * Every row has a line in docs/reference/errors.md; a test holds the two equal.
 */

const kBrand = Symbol.for('midflight.error');

type Format = (...details: readonly string[]) => string;

interface CatalogRow {
  readonly message: Format;
  /** Exit status of the command line when this error ends it. */
  readonly exitCode: number;
}

const row = (message: Format, exitCode = 1): CatalogRow => ({ message, exitCode });

export const catalog = {
  ERR_MIDFLIGHT_EXPORT_MISSING: row(
    (importer, name, specifier) =>
      `${importer} imports "${name}" from "${specifier}", which does not export it; export it there or change the import`,
    3,
  ),
  ERR_MIDFLIGHT_EXPORT_AMBIGUOUS: row(
    (importer, name, specifier) =>
      `${importer} imports "${name}" from "${specifier}", which gets it from two modules by "export *"; export it by name from one of them`,
    3,
  ),
  ERR_MIDFLIGHT_MODULE_UNRESOLVED: row(
    (importer, specifier, reason) =>
      `${importer} imports "${specifier}", which can't be found: ${reason}; check the path, or install the package`,
    3,
  ),
  ERR_MIDFLIGHT_SYNTAX: row((file, line, column, problem) => `${file}:${line}:${column}: ${problem}`, 3),
  ERR_MIDFLIGHT_MODULE_REQUIRES_ASYNC: row(
    (importer, path) => `${importer} requires ${path}, which uses top-level await; load it by import() instead`,
  ),
  ERR_MIDFLIGHT_GENERATION_EXITED: row(
    (exitCode) => `The new code called process.exit(${exitCode}) before it was proved; it was not let in`,
  ),
} satisfies Record<string, CatalogRow>;

/** Every code that Midflight can give. */
export type ErrorCode = keyof typeof catalog;

/** The one error class. Match `code`, never the message. `instanceof` holds between copies of this module. */
export class MidflightError extends Error {
  readonly code: ErrorCode;
  readonly details: readonly string[];
  readonly [kBrand] = true;

  constructor(code: ErrorCode, details: readonly (string | number)[] = [], options?: ErrorOptions) {
    const texts = details.map(String);
    super(catalog[code].message(...texts), options);
    this.name = 'MidflightError';
    this.code = code;
    this.details = texts;
  }

  get exitCode(): number {
    return catalog[this.code].exitCode;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && kBrand in value;
  }
}
