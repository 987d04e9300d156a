import { PlaneNames } from '../../model/plane-names.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { IsShown } from '../tables/image-sets.ts';
import { type ImageSetChoice, loadDataTable } from '../tables/load-data-table.ts';
import { planeTable } from '../tables/plane-table.ts';
import type { PlateTable } from '../tables/plate-table.ts';
import { channelTable, wellTable } from '../tables/summary-tables.ts';
import { TableFile } from '../tables/table-file.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { KIND, type View } from './view.ts';

const TABLES = 5 * KIND;
const BEYOND = 6 * KIND;
/** Node numbers of one generation of the plate. */
const PER_GENERATION = 8;
/** Generations whose tables can be read on by those who have them open. */
const MAX_GENERATIONS = 4;

type MakeTable = (shared: SharedTree, isShown: IsShown | undefined) => PlateTable;

const namesOf = ({ index, naming }: SharedTree): PlaneNames => new PlaneNames(index, naming);

const loadData =
  (choice: ImageSetChoice): MakeTable =>
  (shared, isShown) =>
    loadDataTable(shared, namesOf(shared), `${shared.options.mountpoint}/images`, choice, isShown);

const NAMES: readonly { readonly name: string; readonly make: MakeTable }[] = [
  { name: 'plate.csv', make: (shared, isShown) => planeTable(shared.index, namesOf(shared), isShown) },
  { name: 'LoadData.csv', make: loadData('complete') },
  { name: 'wells.csv', make: ({ index }) => wellTable(index) },
  { name: 'channels.csv', make: ({ index }) => channelTable(index) },
  { name: 'LoadData_incomplete.csv', make: loadData('incomplete') },
];

/** tables/: the plate as CSV files. Each is of one moment: a plate that grows has new files under the same names. */
export class TablesView implements View {
  readonly name = 'tables';
  readonly root = 6;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #isShown: IsShown | undefined;
  readonly #files = new Map<number, TableFile>();
  /** Views of earlier generations, the latest last. */
  readonly #earlier: readonly TablesView[];

  /** `isShown` tells whether a plane has a file in images/; absent where each has. */
  constructor(shared: SharedTree, isShown: IsShown | undefined, before?: TablesView) {
    this.#shared = shared;
    this.#isShown = isShown;
    this.#earlier = before ? [...before.#earlier, before].slice(1 - MAX_GENERATIONS) : [];
  }

  owns(node: number): boolean {
    return node === this.root || (node >= TABLES && node < BEYOND);
  }

  isDirectory(node: number): boolean {
    return node === this.root;
  }

  nodeOf(number: number): number {
    return TABLES + this.#shared.generation * PER_GENERATION + number;
  }

  /** Names of its files, by number. */
  get names(): string[] {
    return NAMES.map(({ name }) => name);
  }

  lookup(_parent: number, name: string): number | undefined {
    const number = NAMES.findIndex((table) => table.name === name);
    return number < 0 ? undefined : this.nodeOf(number);
  }

  entryAfter(_directory: number, cookie: number): TreeEntry | undefined {
    const table = NAMES[cookie];
    return table && { name: table.name, node: this.nodeOf(cookie), cookie: cookie + 1 };
  }

  /** The file behind a node; undefined when it is of a generation that nobody remembers. */
  fileOf(node: number): TableFile | undefined {
    const generation = Math.floor((node - TABLES) / PER_GENERATION);
    const view = [...this.#earlier, this].find((one) => one.#shared.generation === generation);
    return view === undefined ? undefined : view.#file((node - TABLES) % PER_GENERATION);
  }

  #file(number: number): TableFile | undefined {
    const known = this.#files.get(number);
    if (known) return known;
    const table = NAMES[number]?.make(this.#shared, this.#isShown);
    const offsets = this.#shared.tableOffsets[number];
    if (!table || !offsets) return undefined;
    const file = new TableFile(table, offsets);
    this.#files.set(number, file);
    return file;
  }

  /** Finds out the sizes of all tables, a little per step. */
  *measure(): Generator<void> {
    for (const number of NAMES.keys()) {
      const file = this.#file(number);
      if (file && !file.isMeasured) yield* file.measure();
    }
  }

  attributes(node: number): TreeAttributes | undefined {
    const mtimeMs = this.#shared.changedAtMs;
    if (node === this.root) return { directory: true, sizeBytes: 0, mtimeMs, live: false };
    const file = this.fileOf(node);
    return file && { directory: false, sizeBytes: file.sizeBytes, mtimeMs, live: false };
  }

  isKnown(node: number): boolean {
    return node === this.root || this.fileOf(node)?.isMeasured !== false;
  }

  content(): TreeContent {
    return { kind: 'rendered' };
  }

  pathOf(node: number): string {
    return NAMES[(node - TABLES) % PER_GENERATION]?.name ?? '';
  }

  refresh(): void {}

  addFacts(): void {}
}
