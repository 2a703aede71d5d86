extension AsyncStream where Element: Sendable {
    /// Waits for an element, for at most `duration`.
    func first(within duration: Duration) async -> Element? {
        await withTaskGroup(of: Element?.self) { group in
            group.addTask { await self.first { _ in true } }
            group.addTask {
                // Ends early only when it is cancelled: then there is nothing to wait for either.
                try? await Task.sleep(for: duration)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
