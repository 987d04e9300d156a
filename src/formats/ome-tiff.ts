import { basename } from 'node:path';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { isJunkName, leftOut } from './shared/left-out.ts';
import { detectOmeTiff, isCompanionName, isOmeTiffCandidate } from './shared/ome-detect.ts';
import { omeFacts } from './shared/ome-facts.ts';
import { OmeFiles } from './shared/ome-files.ts';
import { type OmePlaces, placeImages } from './shared/ome-places.ts';
import { OmePlaneAdder } from './shared/ome-planes.ts';
import { type Sorting, surveyPlate } from './shared/plate-survey.ts';

function sort(name: string, folder: string): Sorting {
  if (isJunkName(name)) return 'junk';
  if (isOmeTiffCandidate(name)) return 'image';
  return isCompanionName(name) ? 'metadata' : leftOut(name, folder);
}

function shapeOf({ hasPlate, images }: OmePlaces, hasCompanion: boolean): string {
  const kind = hasCompanion ? 'OME-TIFF with companion file' : 'OME-TIFF';
  if (hasPlate) return `${kind}, plate of its OME-XML`;
  const fields = images.length === 1 ? 'the image is a field' : `the ${images.length} images are fields`;
  return `${kind} without a plate: ${fields} of well A01, in natural order`;
}

/**
 * OME-TIFF, single files and sets, with or without a plate (SPW) in their OME-XML:
 * https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html
 */
async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyPlate(root, options, signal, sort);
  const { builder } = survey;
  const files = new OmeFiles(survey, signal);
  await files.read();
  const places = placeImages(files.sources, builder);
  const planes = new OmePlaneAdder(survey, files, signal);
  for (const image of places.images) await planes.add(image);
  planes.warn();
  files.warn();
  const hasCompanion = files.sources.some(({ isCompanion }) => isCompanion);
  const facts: PlateFacts = {
    name: basename(root),
    format: 'ome-tiff',
    formatDetail: shapeOf(places, hasCompanion),
    ...omeFacts(places.images, builder),
    ...places.facts,
  };
  return builder.finish(facts);
}

const omeTiff: FormatHandler = {
  id: 'ome-tiff',
  title: 'OME-TIFF',
  detect: detectOmeTiff,
  index,
};

export default omeTiff;
