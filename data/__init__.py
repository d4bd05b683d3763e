"""What ships beside the code: the manifest of weights, fitted directions, exact package versions."""
