"""From a function that somebody wrote to a verdict, and from a wrong answer to the sentence that names the mistake."""
