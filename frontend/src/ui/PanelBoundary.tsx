import { Component, type ReactNode } from 'react';
import { texts } from '../texts';
import { ErrorNotice } from './ErrorNotice';

interface Props {
  readonly children: ReactNode;
}

interface State {
  readonly error: unknown;
}

/** Shows an error in place of one panel; the rest of the page goes on. */
export class PanelBoundary extends Component<Props, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <ErrorNotice error={this.state.error} title={texts.errors.panel} onRetry={() => this.setState({ error: null })} />
    );
  }
}
