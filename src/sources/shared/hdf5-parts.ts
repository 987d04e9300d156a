/** What the driver loads when it is first needed, in one piece. */
export { catalogOf, isVersion } from './hdf5-catalog.ts';
export { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
export { OpenHdf5 } from './hdf5-open.ts';
