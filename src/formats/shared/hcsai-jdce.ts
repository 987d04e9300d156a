import { BadMetadataError } from '../../core/errors.ts';
import { asObject, type JsonObject } from '../../core/json-text.ts';
import { plainText } from '../../core/metadata-values.ts';
import type { ChannelFacts, PlateFacts } from '../../model/plate.ts';
import { parseBoundedJson } from './bounded-json.ts';

/** Real ones are a few KiB. */
export const MAX_JDCE_BYTES = 16 << 20;
const MAX_CHANNELS = 1000;

/**
 * What a `.jdce` tells: JSON that MetaXpress writes beside the images, an `ImageStack` with its
 * `AutoLeadAcquisitionProtocol`. Read off files of MetaXpress Acquire 2025.2 (Version 1.1). What it lacks is absent.
 */
export interface JdceFacts {
  readonly plate: Pick<PlateFacts, 'pixelSizeUm' | 'plateRows' | 'plateColumns'>;
  readonly name?: string;
  readonly channels: readonly ChannelFacts[];
  /** Distance of the slices, where stacks were taken; only this file says it. */
  readonly zStepUm?: number;
  /** Names of the manifests beside it. */
  readonly manifests: readonly string[];
  readonly declared: Readonly<Record<string, string | number | boolean>>;
  /** A unit of length that is not known, so that the pixel size is left out. */
  readonly unknownUnit?: string;
}

function text(object: JsonObject | undefined, key: string): string | undefined {
  const value = object?.[key];
  return typeof value === 'string' ? plainText(value) : undefined;
}

/** A number above 0; the instrument writes 0 for what was not measured. */
function positive(object: JsonObject | undefined, key: string): number | undefined {
  const value = object?.[key];
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}

function count(object: JsonObject | undefined, key: string): number | undefined {
  const value = positive(object, key);
  return value !== undefined && Number.isInteger(value) && value <= 1e6 ? value : undefined;
}

function list(object: JsonObject | undefined, key: string): readonly unknown[] {
  const value = object?.[key];
  return Array.isArray(value) ? value.slice(0, MAX_CHANNELS) : [];
}

const child = (object: JsonObject | undefined, key: string): JsonObject | undefined =>
  asObject(object?.[key]);

function channel(wavelength: JsonObject): ChannelFacts | undefined {
  const index = wavelength['Index'];
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index > 0xfffe) return undefined;
  const emission = child(wavelength, 'EmissionFilter');
  const excitation = child(wavelength, 'ExcitationFilter');
  const nm = (filter: JsonObject | undefined) =>
    text(filter, 'Unit') === 'nm' ? positive(filter, 'Wavelength') : undefined;
  const name = text(emission, 'Name');
  const emissionNm = nm(emission);
  const excitationNm = nm(excitation);
  return {
    number: index + 1,
    ...(name === undefined ? {} : { name }),
    ...(emissionNm === undefined ? {} : { emissionNm }),
    ...(excitationNm === undefined ? {} : { excitationNm }),
  };
}

function pixelSize(
  calibration: JsonObject | undefined,
): Pick<JdceFacts, 'unknownUnit'> & Pick<PlateFacts, 'pixelSizeUm'> {
  const x = positive(calibration, 'PixelWidth');
  const y = positive(calibration, 'PixelHeight');
  if (x === undefined || y === undefined) return {};
  const unit = text(calibration, 'Unit') ?? 'none';
  return /^(?:[µμu]m|microns?)$/i.test(unit) ? { pixelSizeUm: { x, y } } : { unknownUnit: unit };
}

function declaredValues(
  stack: JsonObject,
  protocol: JsonObject | undefined,
): Record<string, string | number> {
  const map = child(protocol, 'PlateMap');
  const creation = child(stack, 'Creation');
  const when = [text(creation, 'Date'), text(creation, 'Time')]
    .filter((part) => part !== undefined)
    .join(' ');
  const values = {
    ObjectiveName: text(child(protocol, 'ObjectiveCalibration'), 'ObjectiveName'),
    Binning: text(child(protocol, 'Camera'), 'Binning'),
    Creation: when === '' ? undefined : when,
    NumberOfTimepoints: count(child(map, 'TimeSchedule'), 'NumberOfTimepoints'),
    NumberOfSlices: count(child(map, 'ZDimensionParameters'), 'NumberOfSlices'),
    Barcode: text(child(stack, 'SpecimenHolder'), 'Barcode'),
    Project: text(child(child(protocol, 'ProjectInformation'), 'Project'), 'Name'),
  };
  const declared: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(values)) if (value !== undefined) declared[key] = value;
  return declared;
}

/** @throws BadMetadataError when it is no JSON or holds no `ImageStack`. */
export function parseJdce(path: string, bytes: Uint8Array): JdceFacts {
  const stack = child(parseBoundedJson(path, bytes), 'ImageStack');
  if (!stack) throw new BadMetadataError(path, 'holds no ImageStack');
  const protocol = child(stack, 'AutoLeadAcquisitionProtocol');
  const plate = child(protocol, 'Plate');
  const wavelengths = list(protocol, 'Wavelengths')
    .map(asObject)
    .filter((value) => value !== undefined);
  const channels = new Map<number, ChannelFacts>();
  for (const wavelength of wavelengths) {
    const facts = channel(wavelength);
    if (facts && !channels.has(facts.number)) channels.set(facts.number, facts);
  }
  const steps = new Set(wavelengths.flatMap((wavelength) => positive(wavelength, 'ZStep') ?? []));
  const ownStep = positive(child(child(protocol, 'PlateMap'), 'ZDimensionParameters'), 'Step');
  // Channels may have steps of their own; then there is no one step of the plate.
  const zStepUm = steps.size === 1 ? [...steps][0] : steps.size === 0 ? ownStep : undefined;
  const plateRows = count(plate, 'Rows');
  const plateColumns = count(plate, 'Columns');
  const name = text(stack, 'PlateId');
  const { pixelSizeUm, unknownUnit } = pixelSize(child(protocol, 'ObjectiveCalibration'));
  return {
    plate: {
      ...(pixelSizeUm ? { pixelSizeUm } : {}),
      ...(plateRows === undefined ? {} : { plateRows }),
      ...(plateColumns === undefined ? {} : { plateColumns }),
    },
    ...(name === undefined ? {} : { name }),
    channels: [...channels.values()].sort((a, b) => a.number - b.number),
    ...(zStepUm === undefined ? {} : { zStepUm }),
    manifests: list(stack, 'ImageMetadataFiles').filter((value) => typeof value === 'string'),
    declared: declaredValues(stack, protocol),
    ...(unknownUnit === undefined ? {} : { unknownUnit }),
  };
}
