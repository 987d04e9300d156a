import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { letRest } from './bench.ts';
import { LinkedFiles } from './linked-files.ts';

const FIELDS_PER_ROW = 5;
const FIELDS = 25;
const CHANNELS = ['HOECHST 33342', 'Alexa 488', 'Alexa 568', 'Alexa 647'];
const PLANES = 5;
const PLATE_COLUMNS = 24;
/** Planes of a well; {@link makeHarmonyExport} makes whole wells. */
export const HARMONY_WELL_PLANES = FIELDS * CHANNELS.length * PLANES;
const FIELD_STEP_M = 0.00064;

const two = (value: number): string => String(value).padStart(2, '0');

/** An entry with all elements that an Operetta writes in schema V5, about 1.8 kB. */
function imageXml(
  url: string,
  id: string,
  row: number,
  column: number,
  field: number,
  plane: number,
  channel: number,
): string {
  const x = ((field - 1) % FIELDS_PER_ROW) * FIELD_STEP_M;
  const y = -Math.floor((field - 1) / FIELDS_PER_ROW) * FIELD_STEP_M;
  return `    <Image Version="1">
      <id>${id}</id>
      <State>Ok</State>
      <URL>${url}</URL>
      <Row>${row}</Row>
      <Col>${column}</Col>
      <FieldID>${field}</FieldID>
      <PlaneID>${plane}</PlaneID>
      <TimepointID>0</TimepointID>
      <ChannelID>${channel}</ChannelID>
      <FlimID>1</FlimID>
      <ChannelName>${CHANNELS[channel - 1]}</ChannelName>
      <ImageType>Signal</ImageType>
      <AcquisitionType>NonConfocal</AcquisitionType>
      <IlluminationType>Epifluorescence</IlluminationType>
      <ChannelType>Fluorescence</ChannelType>
      <ImageResolutionX Unit="m">5.9797608095676173E-07</ImageResolutionX>
      <ImageResolutionY Unit="m">5.9797608095676173E-07</ImageResolutionY>
      <ImageSizeX>1080</ImageSizeX>
      <ImageSizeY>1080</ImageSizeY>
      <BinningX>2</BinningX>
      <BinningY>2</BinningY>
      <MaxIntensity>65535</MaxIntensity>
      <CameraType>AndorZylaCam</CameraType>
      <PositionX Unit="m">${x.toFixed(6)}</PositionX>
      <PositionY Unit="m">${y.toFixed(6)}</PositionY>
      <PositionZ Unit="m">${(plane * 2e-6).toExponential()}</PositionZ>
      <AbsPositionZ Unit="m">0.13751${plane}</AbsPositionZ>
      <MeasurementTimeOffset Unit="s">0</MeasurementTimeOffset>
      <AbsTime>2024-07-09T1${row % 10}:${two(column)}:${two(field)}.${plane}${channel}+02:00</AbsTime>
      <MainExcitationWavelength Unit="nm">${375 + 100 * channel}</MainExcitationWavelength>
      <MainEmissionWavelength Unit="nm">${425 + 100 * channel}</MainEmissionWavelength>
      <ObjectiveMagnification Unit="">20</ObjectiveMagnification>
      <ObjectiveNA Unit="">0.75</ObjectiveNA>
      <ExposureTime Unit="s">0.06</ExposureTime>
      <OrientationMatrix>[[1.006463,0.003011,0,-35.6],[0.002440,-1.006450,0,67.3],[0,0,1.33,-15.125]]</OrientationMatrix>
    </Image>
`;
}

const HEAD = `\uFEFF<?xml version="1.0" encoding="utf-8"?>
<EvaluationInputData xmlns:xsd="http://www.w3.org/2001/XMLSchema" Version="1" xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5">
  <User>nobody</User>
  <InstrumentType>Operetta</InstrumentType>
  <Plates>
    <Plate>
      <PlateID>Screen 7</PlateID>
      <Name>Screen 7</Name>
      <PlateRows>16</PlateRows>
      <PlateColumns>24</PlateColumns>
    </Plate>
  </Plates>
  <Images>
`;
const TAIL = '  </Images>\n</EvaluationInputData>\n';

/**
 * Makes a Harmony export of schema V5 with this many planes, a multiple of {@link HARMONY_WELL_PLANES}; its images
 * are empty files, all one.
 * @returns path of its Index.
 */
export function makeHarmonyExport(folder: string, planes: number): string {
  const images = join(folder, 'Images');
  mkdirSync(images, { recursive: true });
  const empty = join(images, 'no-image.txt');
  writeFileSync(empty, '');
  const links = new LinkedFiles(empty);
  const path = join(images, 'Index.idx.xml');
  const index = openSync(path, 'w');
  writeSync(index, HEAD);
  for (let well = 0; well < planes / HARMONY_WELL_PLANES; well++) {
    const row = 1 + Math.floor(well / PLATE_COLUMNS);
    const column = 1 + (well % PLATE_COLUMNS);
    let entries = '';
    for (let field = 1; field <= FIELDS; field++)
      for (let plane = 1; plane <= PLANES; plane++)
        for (let channel = 1; channel <= CHANNELS.length; channel++) {
          const place = `r${two(row)}c${two(column)}f${two(field)}p${two(plane)}`;
          const url = `${place}-ch${channel}sk1fk1fl1.tiff`;
          const id = `${two(row)}${two(column)}K1F${field}P${plane}R${channel}`;
          entries += imageXml(url, id, row, column, field, plane, channel);
          links.add(join(images, url));
        }
    writeSync(index, entries);
  }
  writeSync(index, TAIL);
  closeSync(index);
  letRest(folder);
  return path;
}
