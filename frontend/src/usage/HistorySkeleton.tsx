import { Placeholder } from '../ui/Placeholder';
import classes from './History.module.css';

/** As high as the chart and its table, so that nothing moves when they arrive. */
export function HistorySkeleton() {
  return (
    <>
      <div className={classes.beside} aria-busy="true">
        <Placeholder width="100%" height={304} line={306} />
        <Placeholder width="100%" height={304} line={306} />
      </div>
      <p className={classes.asOf}>
        <Placeholder width={208} height={14} line={24} />
      </p>
    </>
  );
}
