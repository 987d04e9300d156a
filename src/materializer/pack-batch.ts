import { join } from 'node:path';
import { chunkKeyOf, isPacked } from './array-format.ts';
import { nameExists } from './atomic-json.ts';
import { union } from './grown-image.ts';
import { levelArray } from './image-levels.ts';
import type { CommitContext, StagedFile } from './landing-commit.ts';
import type { ImageReport, PackJob, StagedPlane } from './landing-job.ts';
import { groupPath, type ImageDecision } from './landing-plan.ts';
import type { ResultImage } from './result-image.ts';

type StagedImage = { readonly decision: ImageDecision; readonly report: ImageReport };

type PackContext = Pick<CommitContext, 'outputDir' | 'stagingDir' | 'pack'>;

/** Chunk file to be written: what goes into it, and where it is staged. */
interface Packing {
  readonly key: string;
  readonly level: number;
  readonly stagedPath: string;
  readonly put: StagedPlane[];
}

/**
 * Puts the staged planes of images whose chunk files hold several together, one file of the batch with the others.
 * Returns the batch with the chunk files in place of the planes; `onFailure` gets the files that drop out.
 */
export async function packBatch(
  context: PackContext,
  staged: readonly StagedFile[],
  onFailure: (file: StagedFile, error: unknown) => void,
): Promise<StagedFile[]> {
  const images = new Map<string, StagedImage[]>();
  const others: StagedFile[] = [];
  for (const file of staged) {
    if (!isImage(file) || !isPacked(file.decision.image.format)) {
      others.push(file);
      continue;
    }
    const { path } = file.decision.image;
    const known = images.get(path);
    if (known) known.push(file);
    else images.set(path, [file]);
  }
  const packed = await Promise.all(
    [...images.values()].map(async (files, number): Promise<StagedFile[]> => {
      try {
        return await packImage(context, files, number);
      } catch (error) {
        for (const file of files) onFailure(file, error);
        return [];
      }
    }),
  );
  return [...others, ...packed.flat()];
}

const isImage = (file: StagedFile): file is StagedImage => file.decision.kind === 'image';

async function packImage(
  { outputDir, stagingDir, pack }: PackContext,
  files: readonly StagedImage[],
  number: number,
): Promise<StagedFile[]> {
  const image = files.map(({ decision }) => decision.image).reduce(union);
  const stagedImage = files.find(({ decision }) => decision.stagedImage !== undefined)?.decision.stagedImage;
  const packings = new Map<string, Packing>();
  const packingOf = (plane: StagedPlane): Packing => {
    const key = chunkKeyOf(image.format, plane.index);
    const path = `${plane.level}/${key}`;
    const known = packings.get(path);
    if (known) return known;
    const stagedPath =
      stagedImage === undefined
        ? join(stagingDir, `pack${number}.${packings.size}`)
        : join(stagedImage, path);
    const packing = { key, level: plane.level, stagedPath, put: [] };
    packings.set(path, packing);
    return packing;
  };
  const result = files.map(({ decision, report }): StagedImage => {
    const chunks = new Map<string, StagedPlane>();
    for (const plane of report.chunks) {
      const { key, stagedPath, put } = packingOf(plane);
      put.push(plane);
      chunks.set(stagedPath, { ...plane, key, stagedPath });
    }
    return { decision, report: { ...report, chunks: [...chunks.values()] } };
  });
  await Promise.all(
    [...packings.values()].map(({ key, level, stagedPath, put }) => {
      const existingPath = join(outputDir, groupPath(image), String(level), key);
      return pack({
        kind: 'pack',
        array: levelArray(image, level),
        stagedPath,
        ...(stagedImage === undefined && nameExists(existingPath) ? { existingPath } : {}),
        put: put.map((plane) => ({ index: plane.index, path: plane.stagedPath })),
        dropped: [],
      });
    }),
  );
  return result;
}

/** The job that takes planes out of a chunk file that is there. */
export function dropJob(
  image: ResultImage,
  level: number,
  existingPath: string,
  stagedPath: string,
  dropped: PackJob['dropped'],
): PackJob {
  return { kind: 'pack', array: levelArray(image, level), stagedPath, existingPath, put: [], dropped };
}
