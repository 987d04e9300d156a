import { morphologyHook } from './shared/binary-morphology.ts';

export default morphologyHook('binary-erosion', 'Shrink foreground');
