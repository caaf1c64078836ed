import classes from './Placeholder.module.css';

interface PlaceholderProps {
  /** Pixels, or a part of the space there is. */
  readonly width: number | string;
  readonly height: number;
  /** Height of the line that the text will take, in pixels. */
  readonly line: number;
}

/** Keeps the place of a text that is still loading. */
export function Placeholder({ width, height, line }: PlaceholderProps) {
  return <span className={classes.placeholder} style={{ width, height, marginBlock: (line - height) / 2 }} />;
}
