import { morphologyHook } from './shared/binary-morphology.ts';

export default morphologyHook('binary-closing', 'Fill gaps smaller than the neighbourhood');
