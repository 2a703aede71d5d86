import DIGContent

extension HostSessionStateMachine {
    struct Handle {
        enum State {
            /// The provider is asked; requests wait.
            case lookingUp(ContentHash, chunkLayer: Int?, waiting: [TransferRequest])
            case file(ServedFile)
            case folder(HostedFolder)
            /// Nothing is served under this handle.
            case absent(UnavailableReason)
        }

        /// Distinguishes uses of the same number.
        let generation: UInt64
        var state: State
    }
}
