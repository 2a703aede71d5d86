import DIGNet

extension AsyncStream where Element: Sendable {
    /// Waits for an element, for at most `duration`.
    func first(within duration: Duration) async -> Element? {
        await withTimeout(duration) { await self.first { _ in true } } ?? nil
    }
}
