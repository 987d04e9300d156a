import { morphologyHook } from './shared/binary-morphology.ts';

export default morphologyHook('binary-opening', 'Remove foreground smaller than the neighbourhood');
