/** What a native addon is built for. */

import { z } from 'zod';

export const platformSchema = z.strictObject({
  os: z.string(),
  arch: z.string(),
  /** `glibc` or `musl` on Linux, else null. */
  libc: z.string().nullable(),
  /** Node's `process.versions.modules`. */
  abi: z.string(),
});

export type Platform = z.output<typeof platformSchema>;

export function detectPlatform(): Platform {
  const { platform: os, arch, versions } = process;
  return { os, arch, libc: os === 'linux' ? detectLibc() : null, abi: versions.modules };
}

/** `linux x64 glibc, Node ABI 137`. */
export function toPlatformText({ os, arch, libc, abi }: Platform): string {
  return `${[os, arch, libc].filter((part) => part !== null).join(' ')}, Node ABI ${abi}`;
}

function detectLibc(): string {
  // The report would look up names of hosts otherwise; @types/node 24 does not know it.
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}
