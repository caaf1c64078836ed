import { texts } from '../texts';
import { formatCount } from '../texts/format';

/** From which part of the room on it is said how much is left. */
const NEARLY = 0.9;

/** What a field says below its label: its hint, and how full it is once it is nearly so, for what has no room is cut. */
export function hintWithRoom(hint: string | undefined, value: string, most: number): string | undefined {
  if (value.length < most * NEARLY) return hint;
  const [length, limit] = [formatCount(value.length), formatCount(most)];
  const said = value.length < most ? texts.fields.nearlyFull(length, limit) : texts.fields.full(limit);
  return hint === undefined ? said : `${hint} ${said}`;
}
