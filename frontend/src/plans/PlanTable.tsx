import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { CSSProperties } from 'react';
import type { PlanOnSale } from '../api/types';
import { texts } from '../texts';
import { planRows, priceText } from './planRows';
import classes from './Plans.module.css';

/** The plans beside each other. On narrow screens each line's label stands above its values. */
export function PlanTable({ plans }: { readonly plans: readonly PlanOnSale[] }) {
  return (
    <table className={classes.table} style={{ '--plans': plans.length } as CSSProperties}>
      <caption className={classes.caption}>{texts.plans.caption}</caption>
      <thead>
        <tr>
          <th scope="col" className={classes.corner}>
            {texts.plans.row}
          </th>
          {plans.map((plan) => (
            <th scope="col" key={plan.id} className={classes.plan}>
              <span className={classes.name}>{plan.display_name}</span>
              {plan.recommended && <span className={classes.badge}>{texts.plans.recommended}</span>}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">{texts.plans.price}</th>
          {plans.map((plan) => (
            <td key={plan.id} className={classes.price}>
              {priceText(plan)}
            </td>
          ))}
        </tr>
        {planRows(plans).map((row) => (
          <tr key={row.key}>
            <th scope="row">{row.label}</th>
            {row.values.map((value, index) => (
              <td key={plans[index]?.id} className={value === texts.plans.no ? classes.no : undefined}>
                {value}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <td className={classes.corner} />
          {plans.map((plan) => (
            <td key={plan.id} className={classes.offer}>
              <Offer plan={plan} />
            </td>
          ))}
        </tr>
      </tfoot>
    </table>
  );
}

/** What the reader can do about a plan, as the server says. */
function Offer({ plan }: { readonly plan: PlanOnSale }) {
  if (plan.offer.action === 'keep') return <strong>{texts.plans.yours}</strong>;
  if (plan.offer.action === 'ask') return <span className={classes.no}>{texts.plans.ask(plan.display_name)}</span>;
  // Every account starts on a plan that costs nothing: no button promises another one.
  const free = plan.price_cents === 0;
  return (
    <Button component={Link} to="/signup" variant={free ? 'filled' : 'default'} className={classes.start}>
      {free ? texts.plans.start(plan.display_name) : texts.plans.signUp}
    </Button>
  );
}
