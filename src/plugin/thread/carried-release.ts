/** A version of a plugin as data that can go to a thread: its compiled code with it, so that the thread reads no source. */

import type { ManifestAssets, ManifestModule } from '../../protocol/manifest.ts';
import { LayeredMap } from '../../protocol/layered-map.ts';
import type { PluginRelease } from '../plugin-release.ts';

export interface CarriedRelease extends Omit<PluginRelease, 'loaded'> {
  readonly id: string;
  readonly root: string;
  readonly entry: string | null;
  readonly assets: ManifestAssets;
  readonly modules: readonly CarriedModule[];
}

interface CarriedModule {
  readonly module: ManifestModule;
  readonly code: string;
  readonly map: { readonly url: string; readonly text: string } | null;
}

export function toCarried({ name, version, digest, loaded }: PluginRelease): CarriedRelease {
  const { id, root, manifest, readCompiled, findMap } = loaded;
  const modules = [...manifest.modules].map(([, module]) => {
    const map = findMap(module);
    return { module, code: readCompiled(module), map: map && { url: map.url, text: map.read() } };
  });
  return { name, version, digest, id, root, entry: manifest.entry, assets: manifest.assets, modules };
}

export function fromCarried(carried: CarriedRelease): PluginRelease {
  const { name, version, digest, id, root, entry, assets } = carried;
  const byPath = new Map(carried.modules.map((each) => [each.module.path, each]));
  const modules = LayeredMap.of(carried.modules.map(({ module }) => [module.path, module] as const));
  return {
    name,
    version,
    digest,
    loaded: {
      id,
      root,
      manifest: { entry, modules, assets },
      readCompiled: (module) => byPath.get(module.path)?.code ?? '',
      findMap(module) {
        const map = byPath.get(module.path)?.map ?? null;
        return map && { url: map.url, read: () => map.text };
      },
    },
  };
}
